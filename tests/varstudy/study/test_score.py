"""Scores against exact arithmetic done another way."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varkernels import FORMATS
from varstudy.study import score
from varstudy.study.ground_truth import truth
from varstudy.study.score import EPSILON, Exact

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(FINITE, st.fractions()), min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_errors_are_exact_but_for_one_rounding(pairs: list[tuple[float, Fraction]]) -> None:
    exact = Exact([wanted for _, wanted in pairs])
    for got, (value, wanted) in zip(exact.errors(np.array([v for v, _ in pairs])), pairs, strict=True):
        if wanted == 0:
            assert got == (0.0 if value == 0 else math.copysign(math.inf, value))
            continue
        error = (Fraction(value) - wanted) / abs(wanted)
        with mpmath.workprec(2300):
            want = mpmath.mpf(error.numerator) / error.denominator
            assert abs(want) > 1.7e308 or abs(mpmath.mpf(float(got)) - want) <= abs(want) * 2.0**-53 + 5e-324
        assert (got == 0) == (error == 0)


def test_what_is_no_number_is_the_worst() -> None:
    exact = Exact([Fraction(1), Fraction(1), Fraction(1), Fraction(0), Fraction(0), None])
    got = exact.errors(np.array([math.nan, math.inf, -math.inf, 0.0, -1e-30, 1.0]))
    np.testing.assert_array_equal(got, [math.inf, math.inf, math.inf, 0.0, -math.inf, math.nan])
    np.testing.assert_array_equal(score.digits(got[:4]), [-math.inf, -math.inf, -math.inf, math.inf])


def test_a_difference_too_small_for_a_float_is_not_called_exact() -> None:
    exact = Exact([1 + Fraction(1, 2**1200)])
    assert exact.errors(np.array([1.0]))[0] == -5e-324
    assert exact.rounded[0] == 1.0


def test_rounding_to_float64_is_right_among_subnormals_and_beyond_the_range() -> None:
    exact = Exact([Fraction(1, 2**1075) + Fraction(1, 2**1200), Fraction(10) ** 400, Fraction(-1, 3)])
    assert exact.rounded.tolist() == [5e-324, math.inf, -1 / 3]


@pytest.mark.parametrize("name", FORMATS)
def test_ulps_are_multiples_of_the_spacing(name: str) -> None:
    fmt = FORMATS[name]
    step = 2 * fmt.unit_roundoff
    values = [Fraction(1), Fraction(3, 2), 2 - step, Fraction(1, 2), fmt.smallest_subnormal]
    spacing = [step, step, step, step / 2, fmt.smallest_subnormal]
    exact = Exact(values)
    computed = [float(v + 3 * s) for v, s in zip(values, spacing, strict=True)]
    np.testing.assert_array_equal(exact.ulps(exact.errors(np.array(computed)), fmt), [3.0] * 5)
    np.testing.assert_array_equal(exact.ulps(np.array([0.0] * 4 + [math.inf]), fmt), [0.0] * 4 + [math.inf])


def test_digits() -> None:
    np.testing.assert_allclose(score.digits([1e-7, -1e-3, 1.0, 10.0]), [7, 3, 0, -1], rtol=1e-15)
    assert math.copysign(1, score.digits(1.0)) == 1.0


# ------------------------------------------------------------------------------------------- normalised output


def brute_force(x: np.ndarray, mean: float, variance: float) -> mpmath.mpf:
    """The largest error of y over all values, in 200 bits."""
    with mpmath.workprec(200):
        values = [mpmath.mpf(float(v)) for v in x]
        m = sum(values) / len(values)
        v = sum((w - m) ** 2 for w in values) / len(values)
        good, bad = 1 / mpmath.sqrt(v + mpmath.mpf(EPSILON)), 1 / mpmath.sqrt(variance + mpmath.mpf(EPSILON))
        return max(abs((w - mpmath.mpf(mean)) * bad - (w - m) * good) for w in values)


@given(
    x=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=8),
    dm=st.floats(-1e-3, 1e-3),
    dv=st.floats(-0.5, 2),
)
@settings(max_examples=200, deadline=None)
def test_the_normalised_error_is_the_largest_over_the_row(x: list[float], dm: float, dv: float) -> None:
    array = np.array([[x]], np.float64).reshape(1, 1, -1)
    exact = truth(array)
    means, variances = Exact.mean(exact), Exact.variance(exact)
    mean, variance = means.rounded + dm, variances.rounded * (1 + dv) + abs(dv) * 1e-6
    got = score.normalised_error(mean, variance, means, variances, array.min(axis=(0, 2)), array.max(axis=(0, 2)))[0]
    want = brute_force(array.ravel(), mean[0], variance[0])
    scale = max(abs(v) for v in x) / math.sqrt(float(variances.rounded[0]) + EPSILON) + 1
    assert abs(got - float(want)) <= 1e-9 * float(want) + 1e-15 * scale


def test_a_variance_below_minus_epsilon_spoils_the_output() -> None:
    exact = truth(np.array([[[0.0, 1e-3]]]))
    means, variances = Exact.mean(exact), Exact.variance(exact)
    low, high = np.array([0.0]), np.array([1e-3])
    for bad in (-2e-5, -1e-5, math.nan, math.inf):
        got = score.normalised_error(means.rounded, np.array([bad]), means, variances, low, high)
        assert got[0] == math.inf
    small = score.normalised_error(means.rounded, np.array([-1e-7]), means, variances, low, high)
    assert 0 < small[0] < 0.01


# ----------------------------------------------------------------------------------------------------- the rows


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_rows_are_described_exactly(name: str) -> None:
    x = np.array([[3.0, 5.0, 10.0], [1e-20, -3e-20, 2e-20], [7.0, 7.0, 7.0]]).astype(name)
    view = x.reshape(1, 3, 3)
    exact = truth(view)
    rows = score.describe(exact, view, np.array([4.0, 0.0, 7.5]))
    assert rows.n == 3
    for r in range(3):
        k = 2.0 ** int(rows.k[r])
        values = [Fraction(float(v)) for v in x[r]]
        m = sum(values) / 3
        assert 0.5 <= max(abs(v) for v in values) / Fraction(k) < 1
        for got, want in (
            (rows.mean[r] * k, abs(m)),
            (rows.s[r] * k**2, sum((v - m) ** 2 for v in values)),
            (rows.q[r] * k**2, sum(v * v for v in values)),
            (rows.spread[r] * k, max(values) - min(values)),
            (rows.first[r] * k, abs(values[0] - m)),
            (rows.centre[r] * k, abs(Fraction([4.0, 0.0, 7.5][r]) - m)),
        ):
            assert got == pytest.approx(float(want), rel=1e-15, abs=0)


def test_rows_without_a_truth_are_nan() -> None:
    view = np.array([[[1.0, math.nan], [1.0, 2.0], [math.inf, 1.0]]])
    rows = score.describe(truth(view), view)
    assert np.isnan(rows.s).tolist() == [True, False, True]
    assert np.isnan(rows.centre).all()
