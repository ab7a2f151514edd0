"""The small network of notebook 8: its gradients, its statistics, the committed runs and the page that shows them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import varkernels
import varstudy

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(
    find_spec("sklearn") is None, reason="sklearn not installed: pip install 'varstudy[notebooks]'"
)
AXES = {"batch": ((1,), 1), "layer": ((3,), 1), "group": ((3,), 4)}


@pytest.fixture(scope="module")
def modules() -> Iterator[tuple[Any, Any]]:
    """`norm_training` and `norm_sweep`, imported as a notebook imports them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "notebooks"))
        yield import_module("norm_training"), import_module("norm_sweep")


@pytest.fixture(scope="module")
def training(modules: tuple[Any, Any]) -> Any:
    return modules[0]


@pytest.fixture(scope="module")
def sweep(modules: tuple[Any, Any]) -> Any:
    return modules[1]


@pytest.mark.parametrize("norm", AXES)
def test_outputs_and_gradients_of_a_norm_are_the_exact_ones(training: Any, norm: str) -> None:
    x, dy = np.random.default_rng(0).normal(size=(2, 8, 32)).astype(np.float32)
    axes, groups = AXES[norm]
    ours = training.Norm(training.Setup(), axes, groups)
    arguments: dict[str, Any] = {"epsilon": training.EPSILON} | ({"groups": groups} if norm == "group" else {})
    y = varstudy.norm_forward(x, norm, **arguments).high
    dx = varstudy.norm_backward(x, dy, norm, **arguments).dx.high
    # A dozen float32 operations on values up to 4.
    assert np.abs(ours.forward(x[np.newaxis], "own")[0] - y).max() < 40 * 2.0**-24
    assert np.abs(ours.backward(dy[np.newaxis])[0] - dx).max() < 100 * 2.0**-24


@pytest.mark.parametrize("norm", ["batch", "group", "layer", "affine"])
def test_the_loss_falls_as_the_gradient_says(training: Any, norm: str) -> None:
    setup = training.Setup(norm, batch=16, images=320, offset=0.0, seeds=(0, 1))
    network = training.train(setup)[0]
    images, labels = training.images_of(setup)
    x, right = np.broadcast_to(images[:16], (2, 16, 64)), labels[:16, np.newaxis] == np.arange(10)

    def loss() -> tuple[Any, Any]:
        z = network.forward(x, "own").astype(np.float64)
        p = np.exp(z - z.max(axis=2, keepdims=True))
        p /= p.sum(axis=2, keepdims=True)
        return -np.log((p * right).sum(axis=2)).mean(axis=1), p

    network.backward(((loss()[1] - right) / 16).astype(np.float32))
    steps = network.gradients.copy()
    steps *= np.float32(1e-2) / np.linalg.norm(steps, axis=1, keepdims=True)
    expected = 2 * (network.gradients.astype(np.float64) * steps).sum(axis=1)
    network.values += steps
    above = loss()[0]
    network.values -= 2 * steps
    # The third derivative, and rounding errors of about 1e-7 in a difference of 1e-2.
    np.testing.assert_allclose(above - loss()[0], expected, rtol=0.01)


def test_statistics_are_those_of_the_algorithm_in_the_accumulator(training: Any) -> None:
    setup = training.Setup(algorithm="naive/pairwise", accumulator="bfloat16")
    x = (np.random.default_rng(1).random((2, 32, 64)) + 100).astype(np.float32)
    norm = training.Norm(setup, (1, 2, 3))
    norm.forward(x, "own")
    rows = varkernels.FORMATS["bfloat16"].rounded(x).transpose(1, 0, 2)
    found = varkernels.moments(rows, "naive/pairwise", "bfloat16")
    assert norm.mean.ravel().tolist() == found.mean.astype(np.float32).tolist()
    assert norm.variance.ravel().tolist() == found.variance().astype(np.float32).tolist()
    assert set(norm.variance.ravel().tolist()) <= {64.0 * k for k in range(-2, 4)}  # the exact one is below 0.2


def test_a_variance_below_0_is_clipped_on_request_only(training: Any) -> None:
    x = np.array([16554, 16555, 16556], np.float32).reshape(1, 3, 1)
    for clip in (False, True):
        norm = training.Norm(training.Setup(algorithm="naive", clip=clip), (1,))
        with np.errstate(invalid="ignore"):
            norm.forward(x, "own")
        assert (norm.variance.item() == 0) if clip else (norm.variance.item() < 0)


def test_running_statistics_are_pytorch_s(training: Any) -> None:
    x = np.array([[[1.0], [4.0]], [[0.0], [2.0]]], np.float32)
    norm = training.Norm(training.Setup(), (1,), keeps=True)
    norm.forward(x, "own")
    assert norm.running is None
    norm.forward(x, "train")
    assert norm.running[0].ravel().tolist() == pytest.approx([0.25, 0.1])  # 0.1 of the mean
    assert norm.running[1].ravel().tolist() == pytest.approx([0.9 + 0.45, 0.9 + 0.2])  # 0.1 of M2 / (n - 1)
    y = norm.forward(x, "running").ravel()
    assert y[0] == pytest.approx(0.75 / math.sqrt(1.35 + training.EPSILON))


def test_a_seed_gives_the_same_network_in_any_company(training: Any) -> None:
    setup = training.Setup(batch=8, images=160, offset=0.0, seeds=(0, 1))
    both = training.train(setup)[0].values
    alone = training.train(replace(setup, seeds=(1,)))[0].values
    assert np.array_equal(both[1], alone[0])
    assert not np.array_equal(both[0], both[1])


def test_the_committed_runs_are_the_plan(sweep: Any) -> None:
    kept = sweep.load()
    assert list(kept) == list(sweep.PLAN)
    for setup, outcome in kept.items():
        assert len(outcome.loss) == len(outcome.error) == len(outcome.own) == len(setup.seeds)
        if setup.norm != "batch":
            assert outcome.error == outcome.own  # no running statistics


def test_committed_runs_can_be_repeated(training: Any, sweep: Any) -> None:
    kept = sweep.load()
    hidden = training.Setup(images=6_400, offset=100.0, accumulator="bfloat16", algorithm="naive/pairwise")
    for setup in (training.Setup("layer", batch=32), hidden, replace(hidden, algorithm="exact")):
        assert sweep.different(kept[setup], training.train(setup)[1]) == ""


def test_a_difference_is_one_that_rounding_does_not_explain(training: Any, sweep: Any) -> None:
    def outcome(loss: float, error: float) -> Any:
        return training.Outcome([loss] * 3, [error] * 3, [error] * 3)

    assert sweep.different(outcome(0.1, 0.01), outcome(0.3, 0.03)) == ""
    assert sweep.different(outcome(1.7, 0.2), outcome(1.8, 0.4)) == ""  # neither works
    assert "was 1.0% and is 20.0%" in sweep.different(outcome(0.1, 0.01), outcome(0.1, 0.2))
    assert "NaN" in sweep.different(outcome(math.nan, 0.9), outcome(0.1, 0.9))


def test_the_page_has_the_committed_tables(sweep: Any) -> None:
    page = (ROOT / "docs" / "training.md").read_text("utf-8")
    for table in sweep.tables():
        assert f"\n\n{table}\n\n" in page, "paste the tables of python notebooks/norm_sweep.py --tables"
    assert "26,378 parameters" in page


def test_a_wrong_option_is_answered_with_the_right_ones(sweep: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep.main(["--all"]) == 2
    assert capsys.readouterr().err == "use --write, --check or --tables\n"


@pytest.mark.long
def test_all_committed_runs_can_be_repeated(sweep: Any) -> None:
    assert sweep.main(["--check"]) == 0
