"""Batch renormalisation in the frameworks: what training steps show, and what is committed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from varstudy.study.kept_spread import DEVIATION, SIGMA, kept_shares, small_batches
from varstudy.survey import systems

SYSTEM = systems.SYSTEMS["renorm"]
FOUND = {
    (row.framework, row.property): row.plain() for row in systems.rows(systems.committed()) if row.system == "renorm"
}


def train(x: Any, given: Mapping[str, Any], *, own: bool, keeps: str, correction: int, clips: Any) -> dict[str, Any]:
    """A layer in float64 that trains on each batch."""
    momentum, epsilon = given.get("momentum", 0.9), given.get("epsilon", 1e-4)
    mean, var, deviation = 0.0, 1.0, 1.0
    reference = np.zeros(x.shape[2]), np.ones(x.shape[2])
    low, high, shift = clips(given)
    for batch in x.astype(np.float64):
        m, v = batch.mean(axis=0), batch.var(axis=0)
        s = np.sqrt(v + epsilon)
        centre, spread = reference if own else (mean, np.sqrt(var + epsilon))
        r, d = np.clip(s / spread, low, high), np.clip((m - centre) / spread, -shift, shift)
        y = (batch - m) / s * r + d
        reference = tuple(0.99 * old + 0.01 * new for old, new in zip(reference, (m, s), strict=True))
        mean = momentum * mean + (1 - momentum) * m
        n = len(batch)
        var = momentum * var + (1 - momentum) * v * n / (n - correction)
        deviation = momentum * deviation + (1 - momentum) * s
    kept = deviation**2 - epsilon if keeps == DEVIATION else var
    return {"y": y.ravel(), "mean": np.ravel(mean), "var": np.ravel(kept)}


def conventions(**more: Any) -> dict[str, Any]:
    return SYSTEM.conventions({name: train(ask.x, ask.given, **more) for name, ask in SYSTEM.asks.items()})


def test_a_layer_without_clips_and_with_a_reference_of_its_own() -> None:
    def clips(given: Mapping[str, Any]) -> tuple[float, float, float]:
        return given.get("rmin", 0.0), given.get("rmax", np.inf), given.get("dmax", np.inf)

    found = conventions(own=True, keeps=DEVIATION, correction=0, clips=clips)
    assert found | {"small": 0, "small.plain": 0} == {
        "training": "reference statistics", "clip.r": "none", "reference": "own", "reference.momentum": 0.99,
        "keeps": "average of deviations", "correction": 0, "epsilon.default": 1e-4, "momentum.default": 0.9,
        "small": 0, "small.plain": 0,
    }  # fmt: skip


def test_a_layer_that_is_plain_batch_norm_by_default() -> None:
    def clips(given: Mapping[str, Any]) -> tuple[float, float, float]:
        return 1 / given.get("rmax", 1.0), given.get("rmax", 1.0), given.get("dmax", 0.0)

    found = conventions(own=False, keeps="average of variances", correction=1, clips=clips)
    assert (found["training"], found["clip.r"], found["reference"]) == (
        "batch statistics", "1 / rmax", "running statistics",
    )  # fmt: skip
    assert (found["keeps"], found["correction"]) == ("average of variances", 1)


def test_the_committed_conventions() -> None:
    keras = ["keras-jax", "keras-numpy", "keras-tensorflow", "keras-torch", "tf_keras"]
    assert sorted({name for name, _ in FOUND}) == sorted([*keras, "chainer"])
    for name in keras:
        assert FOUND[name, "keeps"] == DEVIATION
        assert FOUND[name, "training"] == "reference statistics"
        assert FOUND[name, "small"] < FOUND[name, "small.plain"]
    assert FOUND["chainer", "keeps"] == "average of variances"
    assert FOUND["chainer", "training"] == "batch statistics"


def test_what_is_measured_follows_from_the_shares() -> None:
    share = {row.kept: row.share for row in kept_shares([4])}
    started = 0.99**200  # of the initial 1 that is left
    variance = started / SIGMA**2 + (1 - started) * share["average of variances"]
    deviation = (started / SIGMA + (1 - started) * share[DEVIATION] ** 0.5) ** 2
    # 256 channels of 4 x 200 values: the mean has a relative deviation of about 1 %.
    assert FOUND["keras-torch", "small.plain"] == pytest.approx(variance, rel=0.03)
    assert FOUND["keras-torch", "small"] == pytest.approx(deviation, rel=0.03)


def test_small_batches_and_their_shares() -> None:
    x = small_batches()
    assert x.dtype == np.float32
    assert x.tobytes() == small_batches().tobytes()
    assert [row.share for row in kept_shares([2]) if row.kept == DEVIATION] == [float(f"{1 / np.pi:.4g}")]
    with pytest.raises(ValueError, match="give 2 or more"):
        kept_shares([1])
