"""Ports that are really made: weights and running statistics carried between installed frameworks, both ways.

Every pair of five frameworks, and each other one that is installed with two of them. Each snippet is executed.
The layers run on float32; what is expected of them is computed exactly.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import port_drivers
import pytest
from numpy.typing import NDArray
from port_drivers import CORE, DRIVERS, Driver
from port_pairs import CHANNELS, PAIRS, ROUNDINGS, SAMPLES, U, code_of, known, own, plan_of, slack, with_weights

from varstudy.survey.porting import PortPlan


@pytest.fixture(autouse=True)
def frameworks_may_warn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def batches(count: int, scale: float) -> list[NDArray[np.float32]]:
    """Training batches whose channels have standard deviations of scale, 2 scale, ..."""
    draw = np.random.RandomState(5)
    size = np.arange(1, CHANNELS + 1).reshape(1, CHANNELS, 1, 1) * scale
    return [(draw.normal(size=(SAMPLES, CHANNELS, 1, 1)) * size).astype(np.float32) for _ in range(count)]


def far_points(state: dict[str, Any]) -> NDArray[np.float32]:
    """Inputs some thousand standard deviations from the mean: there the shift and the mean round little."""
    away = np.linspace(1000, 4000, 5).reshape(5, 1, 1, 1)
    shape = (1, CHANNELS, 1, 1)
    return (state["mean"].reshape(shape) + away * np.sqrt(state["var"] + 1e-5).reshape(shape)).astype(np.float32)


def ratio(y: Any, right: Any, state: dict[str, Any]) -> Any:
    """(y - shift) / (right - shift) - 1, in float64."""
    shift = state["beta"].reshape(1, -1, 1, 1)
    return (np.float64(y) - shift) / (np.float64(right) - shift) - 1


def carry(a: str, b: str, **settings: Any) -> tuple[PortPlan, dict[str, Any], dict[str, Any], Driver, Driver]:
    """The plan and its code, the code that reads and writes the target, and drivers with the plan's arguments."""
    if {a, b} - known():
        pytest.skip(f"nothing was measured of {', '.join({a, b} - known())}")
    one = DRIVERS[a](settings.get("momentum"), settings.get("epsilon"))
    DRIVERS[b]()
    plan = plan_of(a, b, **settings)
    back = own(b)
    return plan, code_of(plan), back, one, DRIVERS[b](plan.target_momentum, plan.target_epsilon)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_inference_is_the_sources_after_the_conversion(a: str, b: str) -> None:
    """Trained a little in the source, carried, evaluated: the same outputs up to the rounding of float32."""
    plan, code, back, one, other = carry(a, b)
    layer = with_weights(one, own(a), one.fresh(CHANNELS))
    for batch in batches(3, 0.05):
        layer = one.train(layer, batch)
    carried = code["port"](layer)
    state = code["read"](layer)
    assert plan.epsilon is not None
    for name, there in back["read"](carried).items():
        assert np.array_equal(np.float32(there), np.float32(state[name])), name
    x = batches(1, 1.0)[0]
    right, got = one.evaluate(layer, x), other.evaluate(carried, x)
    assert np.all(np.abs(np.float64(got) - right) <= slack(state, x, plan.epsilon))
    assert np.abs(right).max() > 0.5


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_a_layer_without_scale_and_shift_becomes_one_with_one_and_zero(a: str, b: str) -> None:
    if {a, b} - known():
        pytest.skip(f"nothing was measured of {', '.join({a, b} - known())}")
    m = quarter(a)  # a debias by 1 - 0.99^3 would round by more than an evaluation does
    one = DRIVERS[a](m, bare=True)
    DRIVERS[b]()
    plan = plan_of(a, b, momentum=m)
    code, back, other = code_of(plan), own(b), DRIVERS[b](plan.target_momentum, plan.target_epsilon)
    layer = one.fresh(CHANNELS)
    for batch in batches(3, 0.05):
        layer = one.train(layer, batch)
    carried = code["port"](layer)
    state = back["read"](carried)
    assert np.array_equal(state["gamma"], np.ones(CHANNELS))
    assert np.array_equal(state["beta"], np.zeros(CHANNELS))
    x = batches(1, 1.0)[0]
    right, got = one.evaluate(layer, x), other.evaluate(carried, x)
    assert plan.epsilon is not None
    assert np.all(np.abs(np.float64(got) - right) <= slack(state, x, plan.epsilon))
    assert np.abs(right).max() > 0.5


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_left_alone_it_differs_by_the_predicted_amount(a: str, b: str) -> None:
    """The same state in a layer with the target's own defaults; each channel against its own prediction."""
    _, code, back, one, _ = carry(a, b)
    layer = with_weights(one, own(a), one.fresh(CHANNELS))
    default = DRIVERS[b]()
    # A small variance, where epsilon matters
    state = {**code["read"](layer), "var": np.float64(np.float32([1e-4, 1e-3, 0.01, 1.0]))}
    layer = own(a)["write"](layer, state)
    alone = back["write"](default.fresh(CHANNELS), code["read"](layer))
    x = far_points(state)
    measured = ratio(default.evaluate(alone, x), one.evaluate(layer, x), state)
    correction = plan_of(a, b).source.number("correction.running")
    assert correction is not None
    factor = float((SAMPLES - correction) / SAMPLES)  # from the kept variance to S / n
    for c, var in enumerate(state["var"].tolist()):
        predicted = plan_of(a, b, variance=var * factor).errors[0].inference
        assert predicted is not None
        assert np.all(np.abs(measured[:, c] - predicted) <= 2 * ROUNDINGS * U * (1 + abs(predicted))), (c, predicted)
    if plan_of(a, b).source["epsilon.default"] != plan_of(a, b).target["epsilon.default"]:
        assert np.abs(measured[:, 0]).min() > 0.5


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_training_in_both_gives_the_converted_state(a: str, b: str) -> None:
    """The same batches through both, three quarters the weight of the new one, from fresh layers: three steps."""
    settings = {"momentum": quarter(a), "epsilon": 1e-3}
    plan, code, back, one, other = carry(a, b, **settings)
    assert plan.weight == 0.75
    mine, theirs = one.fresh(CHANNELS), other.fresh(CHANNELS)
    for batch in batches(3, 2.0):
        mine, theirs = one.train(mine, batch), other.train(theirs, batch)
    state = code["read"](mine)
    wanted = back["read"](theirs)
    if "steps" not in inspect.signature(code["convert"]).parameters:
        # Another law, or a start that no framework gives; what is left of it after twenty steps is below the rounding.
        for batch in batches(17, 2.0):
            mine, theirs = one.train(mine, batch), other.train(theirs, batch)
        state, wanted = code["read"](mine), back["read"](theirs)
        got = code["convert"](state, SAMPLES)
    else:
        got = code["convert"](state, SAMPLES, 3)
    for name in ("mean", "var"):
        size = np.abs(wanted[name]) if name == "var" else 20.0
        assert np.all(np.abs(got[name] - wanted[name]) <= 32 * U * size), name
    if plan.source["correction.running"] != plan.target["correction.running"]:
        assert np.all(np.abs(state["var"] / wanted["var"] - 1) > 0.3)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_the_factor_left_alone_differs_by_the_predicted_amount(a: str, b: str) -> None:
    """Twenty steps on one batch, so that nothing is left of the start; beside a target trained on the same."""
    settings = {"momentum": quarter(a), "epsilon": 1e-3}
    plan, code, back, one, other = carry(a, b, **settings)
    batch = batches(1, 0.05)[0]
    mine, theirs = one.fresh(CHANNELS), other.fresh(CHANNELS)
    for _ in range(20):
        mine, theirs = one.train(mine, batch), other.train(theirs, batch)
    state, wanted = code["read"](mine), back["read"](theirs)
    x = far_points(wanted)
    right = other.evaluate(theirs, x)
    alone = other.evaluate(back["write"](other.fresh(CHANNELS), state), x)
    default = DRIVERS[b]()
    all_alone = default.evaluate(back["write"](default.fresh(CHANNELS), state), x)
    mended = other.evaluate(code["port"](mine, SAMPLES), x)
    # the running variances of both took twenty roundings of their own, the square root halves them
    allowed = 4 * ROUNDINGS * U
    for c in range(CHANNELS):
        values = np.float64(batch[:, c].ravel())
        error = plan_of(a, b, variance=float(values.var()), **settings).errors[0]
        assert error.factor is not None
        assert error.training is not None
        for y, predicted in ((alone, error.factor), (all_alone, error.training), (mended, 0.0)):
            found = ratio(y, right, wanted)[:, c]
            assert np.all(np.abs(found - predicted) <= allowed * (1 + abs(predicted))), (c, predicted)
    if plan.source["correction.running"] != plan.target["correction.running"]:
        assert np.abs(ratio(alone, right, wanted)).max() > 0.25


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_the_momentum_number_handed_over_moves_as_predicted(a: str, b: str) -> None:
    """One and ten steps in the target: with the source's number as it is, with the port's, with none."""
    m = quarter(a)
    quarter(b)
    DRIVERS[a]()
    batch = batches(1, 0.5)[0]
    for c in range(2):
        values = np.float64(batch[:, c].ravel())
        plan = plan_of(a, b, variance=float(values.var()), momentum=m)
        arguments = {"same_number": m, "changed": plan.target_momentum, "alone": None}
        for name, argument in arguments.items():
            driver = DRIVERS[b](argument)
            layer, back = driver.fresh(CHANNELS), own(b)
            if b == "haiku" and argument is None:
                continue  # it has no default
            for k in range(1, 11):
                layer = driver.train(layer, batch)
                step = next((each for each in plan.steps if each.steps == k), None)
                if None in (plan.target.law, plan.target["initial.var"]):
                    assert step is None or getattr(step, name) is None
                elif step is not None:
                    assert getattr(step, name) == pytest.approx(back["read"](layer)["var"][c], rel=40 * U)
        assert [each.steps for each in plan.steps][:2] == [1, 10]


def quarter(a: str) -> float:
    """The momentum argument that gives the new batch three quarters."""
    if a not in known():
        pytest.skip(f"nothing was measured of {a}")
    multiplies = plan_of(a, a).source["momentum.multiplies"]
    return 0.75 if multiplies == "new" else 0.25


def test_at_least_four_frameworks_are_carried_where_they_are_installed() -> None:
    """The five of the extra come in all twenty ordered pairs; a name without a driver cannot slip in."""
    assert sum(a in CORE and b in CORE for a, b in PAIRS) == 20
    assert set(CORE) <= known()
    assert (
        "def convert(state, values_per_channel=None, steps=None, *, weight=0.1)"
        in plan_of("torch", "flax-linen").snippet()
    )
    assert set(CORE) == {"torch", "onnxruntime", "onnx-reference", "flax-linen", "flax-nnx"}
    assert port_drivers.DRIVERS.keys() >= {name for pair in PAIRS for name in pair}
