"""Outputs of norms: each the nearest number to the exact one, by comparing squares of rational numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import varstudy
from varkernels.formats import FORMATS, Format
from varkernels.norms.geometry import LAYERS, blocks
from varkernels.norms.pairs import expansion, rounded
from varkernels.norms.settling import settled
from varkernels.rounding import round_to

from .oracle import Answer, is_nearest, outputs

SHAPES = {"batch": (4, 2, 3), "layer": (2, 3, 2), "group": (2, 4, 3), "instance": (2, 3, 4), "rms": (3, 5)}
formats = pytest.mark.parametrize("fmt", FORMATS.values(), ids=str)
norms = pytest.mark.parametrize("norm", LAYERS)


def parameters(norm: str, shape: tuple[int, ...], dtype: Any, seed: int = 1) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    given_in = shape[1:] if norm in ("layer", "rms") else shape[1:2]
    return rng.normal(size=given_in).astype(dtype), rng.normal(size=given_in).astype(dtype)


def check(x: Any, norm: str, weight: Any, bias: Any, epsilon: Any, dtype: Any = None) -> None:
    found = varstudy.norm_forward(x, norm, groups=2, weight=weight, bias=bias, epsilon=epsilon, dtype=dtype)
    assert found.rounded.shape == found.high.shape == found.low.shape == x.shape
    assert found.rounded.dtype == found.format.dtype
    expected = outputs(x, norm, weight, bias, Fraction(epsilon))
    rest = zip(found.rounded.ravel(), found.high.ravel().tolist(), found.low.ravel().tolist(), expected, strict=True)
    for value, high, low, answer in rest:
        if answer is None:
            assert np.isnan(value)
            continue
        assert is_nearest(value, answer, found.format), (value, answer)
        if np.isfinite(high):
            term = abs(answer.number() - float(answer.b)) if abs(answer.b) < 2**1000 else abs(answer.b)
            size = max(abs(high), float(term)) + 2.0**-970
            assert answer.above(Fraction(high) + Fraction(low) + Fraction(size) * Fraction(2) ** -98) <= 0
            assert answer.above(Fraction(high) + Fraction(low) - Fraction(size) * Fraction(2) ** -98) >= 0


@norms
@formats
def test_outputs_are_correctly_rounded(fmt: Format, norm: str) -> None:
    for offset, epsilon in ((0, 1e-5), (300, 0), (3000, Fraction(1, 3))):
        x = (np.random.default_rng(offset).normal(size=SHAPES[norm]) + offset).astype(fmt.dtype)
        weight, bias = parameters(norm, x.shape, fmt.dtype)
        check(x, norm, weight, bias, epsilon)
        check(x, norm, None, None, epsilon)
        check(x, norm, weight, None, epsilon, dtype="bfloat16")


def numbers(fmt: Format, n: int) -> st.SearchStrategy[Any]:
    """Rows of small integers, whose outputs are often ties, or of any finite numbers."""
    whole = st.integers(-4, 4).map(float)
    bits = st.integers(0, 2 ** (8 * fmt.dtype.itemsize) - 1).map(
        lambda b: float(np.array([b], f"u{fmt.dtype.itemsize}").view(fmt.dtype)[0])
    )
    wild = bits.filter(lambda value: bool(np.isfinite(value)))
    row = st.lists(whole, min_size=n, max_size=n) | st.lists(wild, min_size=n, max_size=n)
    return row.map(lambda values: np.array([values], dtype=np.float64).astype(fmt.dtype))


@formats
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_row(fmt: Format, data: st.DataObject) -> None:
    """Constants, one and two values, subnormal and huge numbers, ties, epsilon 0."""
    n = data.draw(st.integers(1, 4))
    x = data.draw(numbers(fmt, n))
    weight, bias = (data.draw(st.none() | numbers(fmt, n).map(lambda row: row[0])) for _ in range(2))
    epsilon = data.draw(st.sampled_from([0, 1e-5, 2, Fraction(1, 7), 1e-300, 2.0**600]))
    check(x, data.draw(st.sampled_from(["layer", "rms"])), weight, bias, epsilon,
          data.draw(st.sampled_from([None, "float16", "float32", "float64"])))  # fmt: skip


def test_ties_go_to_even() -> None:
    """With epsilon 0, two values are one deviation away from their mean: y = bias +- weight, here halfway."""
    x = np.array([[1.0, 3.0]], np.float32)
    weight = np.array([2.0**-25, 2.0**-25], np.float32)
    bias = np.array([1.0, 1 + 2.0**-23], np.float32)
    found = varstudy.norm_forward(x, weight=weight * 2, bias=bias, epsilon=0).rounded[0]
    assert found.tolist() == [1 - 2.0**-24, 1 + 2.0**-22]
    found = varstudy.norm_forward(x, weight=weight, bias=bias, epsilon=0).rounded[0]
    assert found.tolist() == [1.0, 1 + 2.0**-23]


@formats
def test_overflow_and_underflow_of_the_format(fmt: Format) -> None:
    x = np.array([[-1, 1]], fmt.dtype)
    large = np.full(2, float(fmt.largest), fmt.dtype)
    found = varstudy.norm_forward(x, weight=large, bias=large, epsilon=0).rounded[0]
    assert found.tolist() == [0.0, np.inf]
    tiny = np.full(2, float(fmt.smallest_subnormal), fmt.dtype)
    found = varstudy.norm_forward(x, weight=tiny, epsilon=3).rounded[0]
    assert found.tolist() == [0.0, 0.0]
    assert np.signbit(found).tolist() == [True, False]


def test_given_statistics() -> None:
    """Evaluation: y is rational where the variance is a square."""
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    mean, variance = np.array([1, 2, 3], np.float32), np.array([4, 0.25, -1], np.float32)
    found = varstudy.norm_forward(x, "batch", mean=mean, variance=variance, epsilon=0).rounded
    np.testing.assert_array_equal(found[:, :2], (x[:, :2] - mean[:2, None]) / np.array([[2], [0.5]], np.float32))
    assert np.isnan(found[:, 2]).all()


def test_without_an_exact_output() -> None:
    x = np.array([[1, np.nan, 2], [1, np.inf, 3], [5, 5, 5], [1, 2, 3]])
    found = varstudy.norm_forward(x, epsilon=0).rounded
    assert np.isnan(found[:3]).all()
    assert np.isfinite(found[3]).all()
    weight = np.array([1, np.nan, 1])
    assert np.isnan(varstudy.norm_forward(x, weight=weight).rounded[3]).tolist() == [False, True, False]
    still = varstudy.norm_forward(x, "batch", mean=np.zeros(3), variance=np.ones(3), epsilon=0).rounded
    np.testing.assert_array_equal(still, np.where(np.isfinite(x), x, np.nan))
    assert varstudy.norm_forward(np.zeros((0, 3))).rounded.shape == (0, 3)


@norms
def test_channels_last_is_the_same_norm(norm: str) -> None:
    x = np.random.default_rng(4).normal(size=(2, 4, 3, 2)).astype(np.float32)
    weight, bias = parameters(norm, x.shape, np.float32)
    here = varstudy.norm_forward(x, norm, groups=2, weight=weight, bias=bias).rounded
    if weight.ndim > 1:
        weight, bias = np.moveaxis(weight, 0, -1), np.moveaxis(bias, 0, -1)
    last = np.moveaxis(x, 1, -1)
    found = varstudy.norm_forward(last, norm, layout="NHWC", groups=2, weight=weight, bias=bias).rounded
    np.testing.assert_array_equal(np.moveaxis(found, -1, 1), here)


def test_long_rows_are_cut_up_without_a_trace() -> None:
    x = np.random.default_rng(5).normal(7, 1, size=(3, 2, 40_000)).astype(np.float32)
    found = varstudy.norm_forward(x, "batch", dtype="float64")
    near = (x - x.mean(axis=(0, 2), dtype=float)[:, None]) / np.sqrt(x.var(axis=(0, 2), dtype=float)[:, None] + 1e-5)
    np.testing.assert_allclose(found.rounded, near, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"norm": "lrn"}, "norm='lrn' is unknown"),
        ({"epsilon": -1}, "epsilon=-1 is negative"),
        ({"epsilon": np.inf}, "give a finite number"),
        ({"weight": np.ones(2)}, r"weight has the shape \(2,\): give \(3,\)"),
        ({"mean": np.zeros(3)}, "give both"),
        ({"mean": np.zeros(3), "variance": np.ones(3)}, "no running statistics"),
        ({"norm": "group", "groups": 2}, "does not divide"),
        ({"layout": "NCHW"}, "rank"),
    ],
)
def test_bad_input_has_a_sentence(more: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        varstudy.norm_forward(np.zeros((2, 3)), **{"norm": "layer", **more})


def test_integers_are_no_input() -> None:
    with pytest.raises(TypeError, match="int64"):
        varstudy.norm_forward(np.zeros((2, 3), np.int64))
    with pytest.raises(ValueError, match="two to five axes"):
        varstudy.norm_forward(np.zeros(3))


@settings(max_examples=40, deadline=None)
@given(
    st.fractions(-50, 50, max_denominator=50),
    st.fractions(Fraction(1, 9), 50, max_denominator=9),
    st.fractions(-50, 50, max_denominator=8),
    st.sampled_from(list(FORMATS.values())),
)
def test_settled_answers(a: Fraction, v: Fraction, b: Fraction, fmt: Format) -> None:
    value, (high, low) = settled(a, v, b, fmt)
    answer = Answer(a, v, b)
    assert is_nearest(value, answer, fmt)
    slack = Fraction(abs(high)) * Fraction(2) ** -100
    assert (
        answer.above(Fraction(high) + Fraction(low) - slack)
        >= 0
        >= answer.above(Fraction(high) + Fraction(low) + slack)
    )


@settings(max_examples=40, deadline=None)
@given(
    st.integers(-(2**120), 2**120), st.integers(1, 2**70), st.integers(-200, 200), st.sampled_from([*FORMATS.values()])
)
def test_expansions_and_their_rounding(p: int, q: int, exponent: int, fmt: Format) -> None:
    value = Fraction(p, q) * Fraction(2) ** exponent
    high, low = expansion(p, q, exponent, 2)
    assert abs(value - Fraction(high) - Fraction(low)) <= abs(value) * Fraction(2) ** -105
    pair = Fraction(high) + Fraction(low)
    found = rounded(np.array([high]), np.array([low]), fmt)[0]
    assert found == round_to(pair, fmt) or (fmt.precision == 53 and found == high)


@given(npst.array_shapes(min_dims=1, max_dims=4, max_side=5), st.integers(1, 40))
def test_blocks_cover_an_array_once(shape: tuple[int, ...], size: int) -> None:
    seen = np.zeros(shape, dtype=int)
    for piece in blocks(shape, size):
        seen[piece] += 1
    assert (seen == 1).all()


def test_the_mean_of_a_half_precision_batch() -> None:
    """The exact output is far from one with a rounded mean: 300.08 as 300."""
    x = (np.random.default_rng(0).normal(size=(64, 1)) + 300).astype(np.float16)
    exact = varstudy.norm_forward(x, "batch").high
    assert abs(exact.mean()) < 1e-15
