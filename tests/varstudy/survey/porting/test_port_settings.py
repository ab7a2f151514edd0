"""Emitted code, executed: what a layer was made with arrives, for all ordered pairs of the installed frameworks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from port_drivers import CORE, DRIVERS
from port_pairs import PAIRS, code_of, known, plan_of, slack, with_weights

CHANNELS = 4
EPSILON = 1e-2
# Each with another epsilon and momentum than the defaults.
LAYERS: dict[str, dict[str, Any]] = {
    "second": {"axis": 1},
    "last": {"axis": -1},
    "2-D": {"rank": 2},
    "5-D": {"rank": 5},
    "bare": {"bare": True},
}


@pytest.fixture(autouse=True)
def frameworks_may_warn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def batch(rank: int, seed: int = 7) -> Any:
    """Channels of variance 0.01 to 0.16, where an epsilon of 0.01 is far from 1e-5; as many columns as channels."""
    size = np.arange(1, CHANNELS + 1).reshape(1, CHANNELS, *[1] * (rank - 2)) * 0.1
    draw = np.random.RandomState(seed).normal(size=(6, CHANNELS, *[CHANNELS] * (rank - 2)))
    return (draw * size + 0.5).astype(np.float32)


def ready(*names: str) -> None:
    if set(names) - known():
        pytest.skip(f"nothing was measured of {', '.join(set(names) - known())}")


@pytest.mark.parametrize("layout", LAYERS)
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_settings_of_the_layer_arrive(a: str, b: str, layout: str) -> None:
    """The plan knows the defaults only. The carried layer evaluates alike, and one more step moves both alike."""
    ready(a, b)
    momentum = 0.3 if plan_of(a, a, momentum=0.5).source["momentum.multiplies"] == "new" else 0.7
    one = DRIVERS[a](momentum, EPSILON, **LAYERS[layout])
    other = DRIVERS[b](rank=one.rank)
    plan = plan_of(a, b, momentum=0.5) if "haiku" in (a, b) else plan_of(a, b)
    code = code_of(plan)
    layer = one.fresh(CHANNELS)
    x = batch(one.rank)
    layer = one.train(layer, x)
    if layout != "bare":
        layer = with_weights(one, code_of(plan_of(a, a, momentum=0.5)), layer)
    # Haiku's layers do not tell their settings, Flax's not the rank of their inputs
    told = code["settings"](layer)
    wanted = {"epsilon": EPSILON, "momentum": momentum, "rank": one.rank}
    given = {name: value for name, value in wanted.items() if told.get(name) is None}
    assert set(given) <= ({"epsilon", "momentum"} if a == "haiku" else {"rank"})
    carried = code["port"](layer, **given)
    state = code["read"](layer)
    right, got = one.evaluate(layer, x), other.evaluate(carried, x)
    assert got.shape == x.shape
    allowed = slack(state, x.reshape(6, CHANNELS, -1, 1), EPSILON)
    assert np.all(np.abs(np.float64(got) - right).reshape(6, CHANNELS, -1, 1) <= allowed)
    assert plan.source["epsilon.default"] != EPSILON
    # a step on other data, whose running mean depends on momentum alone where both keep exponential averages
    if plan.source.law == plan.target.law == "exponential":
        back = code_of(plan_of(b, b, momentum=0.5))["read"]
        new = batch(one.rank, 8)
        mine, theirs = code["read"](one.train(layer, new))["mean"], back(other.train(carried, new))["mean"]
        assert np.abs(mine - state["mean"]).min() > 1e-4
        assert np.all(np.abs(mine - theirs) <= 1e-6)


OTHERS = [name for name in DRIVERS if name != "torch"]


@pytest.mark.parametrize("b", OTHERS)
def test_torchs_cumulative_average_gives_the_next_batch_its_weight(b: str) -> None:
    ready("torch", b)
    torch = pytest.importorskip("torch")
    other = DRIVERS[b]()
    layer = torch.nn.BatchNorm2d(CHANNELS, momentum=None)
    for seed in (1, 2, 3):
        layer(torch.from_numpy(batch(4, seed)))
    plan = plan_of("torch", b)
    carried = code_of(plan)["port"](layer)
    if plan.target.law == "exponential":
        new = batch(4, 4)
        layer(torch.from_numpy(new))
        got = code_of(plan_of(b, b, momentum=0.5))["read"](other.train(carried, new))["mean"]
        assert np.abs(got - layer.running_mean.numpy()).max() <= 1e-6


def test_torchs_cumulative_average_stays_one_in_torch() -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.BatchNorm1d(CHANNELS, momentum=None)
    for seed in (1, 2, 3):
        layer(torch.from_numpy(batch(2, seed)))
    carried = code_of(plan_of("torch", "torch"))["port"](layer)
    assert carried.momentum is None
    assert int(carried.num_batches_tracked) == 3


@pytest.mark.parametrize("b", OTHERS)
def test_a_layer_without_running_statistics_is_refused(b: str) -> None:
    ready("torch", b)
    torch = pytest.importorskip("torch")
    DRIVERS[b]()
    layer = torch.nn.BatchNorm2d(CHANNELS, track_running_stats=False)
    with pytest.raises(ValueError, match="no running statistics: there is no state to carry"):
        code_of(plan_of("torch", b))["port"](layer)


@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm3d", "SyncBatchNorm"])
def test_torch_to_torch_keeps_the_rank(name: str) -> None:
    torch = pytest.importorskip("torch")
    layer = getattr(torch.nn, name)(CHANNELS, eps=EPSILON, momentum=0.3)
    carried = code_of(plan_of("torch", "torch"))["port"](layer)
    assert type(carried).__name__ == ("BatchNorm2d" if name == "SyncBatchNorm" else name)
    assert (carried.eps, carried.momentum) == (EPSILON, 0.3)


@pytest.mark.parametrize("a", [name for name in CORE if name.startswith("onnx")])
def test_a_model_exported_in_training_mode_is_refused(a: str) -> None:
    one: Any = DRIVERS[a]()
    pytest.importorskip("torch")
    model = one.fresh(CHANNELS)
    model.graph.node[0].attribute.append(one.onnx.helper.make_attribute("training_mode", 1))
    with pytest.raises(ValueError, match="exported in training mode"):
        code_of(plan_of(a, "torch"))["port"](model)
