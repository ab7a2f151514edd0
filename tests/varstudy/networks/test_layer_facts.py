"""The facts of a layer's inputs are those of exact arithmetic, whichever way the data comes."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from varstudy.networks.layer_facts import SAMPLE, LayerFacts
from varstudy.networks.norm_layers import Formula, NormLayer


def layer(kind: str = "layer", epsilon: float = 1e-5, **more: object) -> NormLayer:
    return NormLayer("norm", kind, Formula.FUSED, epsilon, **more)  # type: ignore[arg-type]


def exact(row: np.ndarray) -> tuple[Fraction, Fraction]:
    values = [Fraction(float(v)) for v in row]
    mean = sum(values, Fraction(0)) / len(values)
    return mean, sum(((v - mean) ** 2 for v in values), Fraction(0)) / len(values)


@pytest.mark.parametrize(
    ("kind", "shape", "more", "rows"),
    [
        ("layer", (2, 3, 4), {}, (6, 4)),
        ("layer", (2, 3, 4), {"axes": (-2, -1)}, (2, 12)),
        ("layer", (2, 3, 4), {"axes": (1,)}, (8, 3)),
        ("rms", (5, 7), {}, (5, 7)),
        ("batch", (2, 3, 4, 5), {}, (3, 40)),
        ("batch", (6, 3), {}, (3, 6)),
        ("instance", (2, 3, 4, 5), {}, (6, 20)),
        ("group", (2, 6, 4), {"groups": 3}, (6, 8)),
    ],
)
def test_the_rows_are_what_the_norm_takes_together(kind, shape, more, rows):
    x = np.arange(math.prod(shape)).reshape(shape)
    found = layer(kind, **more).rows(x)
    assert found.shape == rows
    # Each row of a value's own: the values that a loop over the kept axes takes.
    if kind == "batch":
        assert found[1].tolist() == np.moveaxis(x, 1, 0)[1].ravel().tolist()
    elif kind == "group":
        assert found[1].tolist() == x[0, 2:4].ravel().tolist()
    elif kind == "instance":
        assert found[4].tolist() == x[1, 1].ravel().tolist()
    elif more.get("axes") == (1,):
        assert found[5].tolist() == x[1, :, 1].tolist()
    else:
        assert found[1].tolist() == x.reshape(rows)[1].tolist()


@pytest.mark.parametrize(
    ("kind", "shape", "more"),
    [("group", (2, 5, 3), {"groups": 2}), ("layer", (3,), {"axes": (-2,)}), ("layer", (0, 4), {}), ("group", (4,), {})],
)
def test_a_shape_that_does_not_fit_is_said(kind, shape, more):
    with pytest.raises(ValueError, match="its input has"):
        layer(kind, **more).rows(np.zeros(shape))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_facts_are_those_of_exact_arithmetic(dtype):
    g = np.random.default_rng(3)
    x = (g.normal(3, 2, (20, 33)) * np.exp2(g.integers(-3, 4, (20, 1)))).astype(dtype)
    facts = LayerFacts(layer(epsilon=0.5))
    for part in (x[:7], x[7:8], x[8:]):
        facts.update(part)
    moments = [exact(row) for row in x]
    assert (facts.calls, facts.rows, facts.values, facts.nonfinite) == (3, 20, {33}, 0)
    assert facts.largest == float(np.abs(x).max())
    assert facts.squares == pytest.approx(float(max(33 * (v + m * m) for m, v in moments)), rel=1e-12)
    assert facts.m2 == pytest.approx(float(max(33 * v for _, v in moments)), rel=1e-12)
    assert facts.variance_low == float(min(v for _, v in moments))
    assert facts.variance_high == float(max(v for _, v in moments))
    kappas = [math.sqrt(float((v + m * m) / (v + Fraction(1, 2)))) for m, v in moments]
    assert facts.kappa_worst == pytest.approx(max(kappas), rel=1e-12)
    assert facts.kappa_median == pytest.approx(float(np.median(kappas)), rel=1e-12)
    far = max(abs(Fraction(float(value)) - m) for row, (m, _) in zip(x, moments, strict=True) for value in row)
    assert facts.deviation == pytest.approx(float(far), rel=1e-12)


def test_rows_that_are_not_finite_are_counted_and_join_nothing():
    x = np.ones((4, 5), np.float32)
    x[1, 2], x[3, 0] = np.nan, np.inf
    facts = LayerFacts(layer())
    facts.update(np.ones((2, 5), np.float32))
    facts.update(x)
    assert (facts.rows, facts.nonfinite, facts.first_nonfinite, facts.constant) == (6, 2, 1, 4)
    assert facts.largest == 1


def test_memory_does_not_grow_and_the_worst_row_is_kept():
    facts = LayerFacts(layer(epsilon=0.0))
    g = np.random.default_rng(0)
    for k in range(30):
        x = g.normal(0, 1, (100, 16)).astype(np.float32)
        if k == 17:
            x[41] += 1000
        facts.update(x)
    sample = facts.sample
    assert sample is not None
    assert len(sample) <= SAMPLE
    assert sample[0].mean() > 900
    assert facts.kappa_worst > 500


def test_the_feature_that_holds_the_energy_is_named():
    x = np.ones((50, 8), np.float32)
    x[:, 5] = 100
    facts = LayerFacts(layer("rms"))
    facts.update(x)
    at, share = facts.energy_share
    assert at == 5
    assert share == pytest.approx(10000 / 10007)
    assert facts.peak == pytest.approx(100 / math.sqrt(10007 / 8))
