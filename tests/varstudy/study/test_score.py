"""Scores against exact arithmetic done another way."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varkernels import FORMATS
from varkernels.formats import Format
from varstudy.study import aggregates, score
from varstudy.study.aggregates import EPSILON
from varstudy.study.ground_truth import truth
from varstudy.study.score import Exact, Status, judge

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


def test_answers_that_come_again_have_the_errors_that_they_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "KEPT", 4)
    exact = Exact([Fraction(1, 3), Fraction(2), None])
    given = np.array([0.25, 2.5, 1.0])
    first = exact.errors(given)
    assert first.tolist()[:2] == [-0.25, 0.25]
    assert exact.errors(given.astype(np.float32)) is first
    given[0] = 0.5  # the array of an answer may be used again for the next
    np.testing.assert_array_equal(exact.errors(given), [0.5, 0.25, math.nan])
    again = exact.errors([0.25, 2.5, 1.0])  # no longer kept
    assert again is not first
    np.testing.assert_array_equal(again, first)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1.0


@pytest.mark.parametrize("given", [[1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]], 1.0])
def test_there_is_one_answer_for_each_row(given: Any) -> None:
    with pytest.raises(ValueError, match="answers for 2 rows: give one for each row"):
        Exact([Fraction(1), Fraction(2)]).errors(given)


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


def normalised_error(mean: Any, variance: Any, means: Exact, variances: Exact, low: Any, high: Any) -> Any:
    errors = means.errors(mean), variances.errors(variance)
    return aggregates.normalised_error(mean, variance, means, variances, errors, low, high)


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
    got = normalised_error(mean, variance, means, variances, array.min(axis=(0, 2)), array.max(axis=(0, 2)))[0]
    want = brute_force(array.ravel(), mean[0], variance[0])
    scale = max(abs(v) for v in x) / math.sqrt(float(variances.rounded[0]) + EPSILON) + 1
    assert abs(got - float(want)) <= 1e-9 * float(want) + 1e-15 * scale


def test_a_variance_below_minus_epsilon_spoils_the_output() -> None:
    exact = truth(np.array([[[0.0, 1e-3]]]))
    means, variances = Exact.mean(exact), Exact.variance(exact)
    low, high = np.array([0.0]), np.array([1e-3])
    for bad in (-2e-5, -1e-5, math.nan, math.inf):
        got = normalised_error(means.rounded, np.array([bad]), means, variances, low, high)
        assert got[0] == math.inf
    small = normalised_error(means.rounded, np.array([-1e-7]), means, variances, low, high)
    assert 0 < small[0] < 0.01


# ---------------------------------------------------------------------------------------------------- the statuses

NARROW = [FORMATS[name] for name in ("float16", "bfloat16", "float32")]


def status(exact: Fraction, computed: float, name: str = "float32", answer: str = "float64") -> Status:
    """The status of one answer, in a wide format so that it can be put anywhere near a boundary."""
    return judge(Exact([exact]), np.array([computed]), FORMATS[name], FORMATS[answer]).statuses[0]


@pytest.mark.parametrize("fmt", NARROW, ids=str)
@pytest.mark.parametrize("sign", [-1, 1])
def test_right_ends_at_ten_unit_roundoffs_and_inaccurate_at_a_tenth(fmt: Format, sign: int) -> None:
    edge = 10 * fmt.unit_roundoff
    assert status(Fraction(1), float(1 + sign * edge), fmt.name) is Status.RIGHT
    assert status(Fraction(1), float(1 + sign * edge * (1 + Fraction(1, 2**20))), fmt.name) is Status.INACCURATE
    # 11 / 10 and 9 / 10 themselves are no floats: the exact variance is 10, the answer 11 or 9.
    assert status(Fraction(10), 10.0 + sign, fmt.name) is Status.INACCURATE
    assert status(Fraction(10), math.nextafter(10.0 + sign, sign * math.inf), fmt.name) is Status.WRONG
    assert score.status_of(sign * float(edge), fmt) is Status.RIGHT
    assert score.status_of(sign * 0.1, fmt) is Status.INACCURATE
    assert score.status_of(sign * math.nextafter(0.1, 1), fmt) is Status.WRONG


@pytest.mark.parametrize("computed", [-1e-30, -1.0, math.nan, math.inf, -math.inf, 0.0, 2.0])
def test_no_variance_and_no_digit_is_wrong(computed: float) -> None:
    assert status(Fraction(1), computed) is Status.WRONG


def test_a_spread_where_there_is_none_is_wrong() -> None:
    assert status(Fraction(0), 0.0) is Status.RIGHT
    assert status(Fraction(0), -0.0) is Status.RIGHT
    for computed in (5e-324, -5e-324, 1.0, math.nan):
        assert status(Fraction(0), computed) is Status.WRONG


@pytest.mark.parametrize("fmt", list(FORMATS.values()), ids=str)
def test_the_range_is_that_of_the_normal_numbers_of_the_answer(fmt: Format) -> None:
    for exact, wanted in (
        (fmt.largest, Status.RIGHT),
        (fmt.largest + fmt.smallest_subnormal, Status.OUT_OF_RANGE),
        (fmt.smallest_normal, Status.RIGHT),
        (fmt.smallest_normal - fmt.smallest_subnormal / 2, Status.OUT_OF_RANGE),
    ):
        near = float(min(exact, fmt.largest))
        assert status(exact, near, fmt.name, fmt.name) is wanted
    # However good or bad the answer is.
    assert status(fmt.largest * 2, math.inf, fmt.name, fmt.name) is Status.OUT_OF_RANGE
    assert status(fmt.largest * 2, math.nan, fmt.name, fmt.name) is Status.OUT_OF_RANGE


def test_the_range_is_the_answers_and_the_digits_are_the_datas() -> None:
    variance = Fraction(512**2)
    assert status(variance, 512.0**2, "float16", "float16") is Status.OUT_OF_RANGE
    assert status(variance, 512.0**2, "float16", "float32") is Status.RIGHT


def test_rows_without_a_variance_have_a_status_of_their_own() -> None:
    x = np.array([[[1.0, 3.0], [math.nan, 1.0], [1.0, -math.inf]]])
    exact = truth(x)
    for correction, wanted in ((0, [Status.RIGHT, Status.NOT_FINITE, Status.NOT_FINITE]), (2, [Status.UNDEFINED] * 3)):
        found = judge(
            Exact.variance(exact, correction), np.array([1.0, math.nan, 7.0]), FORMATS["float64"], FORMATS["float64"]
        )
        assert list(found.statuses) == wanted
        assert found.tally.missed == (1 if correction == 0 else 0)
        assert found.tally.rows == 3
    assert found.tally.status is Status.UNDEFINED


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.just(Fraction(0)), st.fractions(0, 10**40), st.fractions(0, Fraction(1, 10**38))),
            st.floats(width=64),
            st.booleans(),
        ),
        max_size=8,
    ),
    st.sampled_from(list(FORMATS)),
    st.sampled_from(list(FORMATS)),
)
@settings(max_examples=300, deadline=None)
def test_every_row_is_counted_once_and_as_the_fractions_say(
    rows: list[tuple[Fraction | None, float, bool]], storage: str, answer: str
) -> None:
    fmt, range_of = FORMATS[storage], FORMATS[answer]
    bad = np.array([v is None and flag for v, _, flag in rows], np.bool_)
    found = judge(Exact([v for v, _, _ in rows], bad), np.array([c for _, c, _ in rows]), fmt, range_of)
    for (exact, computed, _), nonfinite, got in zip(rows, bad.tolist(), found.statuses, strict=True):
        if exact is None:
            assert got is (Status.NOT_FINITE if nonfinite else Status.UNDEFINED)
        elif exact and not range_of.smallest_normal <= exact <= range_of.largest:
            assert got is Status.OUT_OF_RANGE
        elif not math.isfinite(computed) or computed < 0:
            assert got is Status.WRONG
        elif exact == 0:
            assert got is (Status.WRONG if computed else Status.RIGHT)
        else:
            error = abs(Fraction(computed) - exact) / exact
            # Away from the boundaries, where one rounding of the error decides nothing.
            if abs(error * 10 - 1) > Fraction(1, 2**50):
                assert (got is Status.WRONG) == (error > Fraction(1, 10))
            if abs(error / (10 * fmt.unit_roundoff) - 1) > Fraction(1, 2**50):
                assert (got is Status.RIGHT) == (error <= 10 * fmt.unit_roundoff)
    tally = found.tally
    assert tally.rows == len(rows)
    assert tally.judged == int(np.count_nonzero(found.judged))
    if tally.judged:
        assert 0 <= found.digits_worst <= score.held(fmt)
        assert (tally.status is Status.WRONG) == bool(tally.wrong or tally.missed)
    else:
        assert math.isnan(found.digits_worst)


def test_digits_stop_at_what_the_format_holds() -> None:
    got = score.shown_digits([0.0, 1e-20, 1e-3, 1.0, 10.0, math.inf, math.nan], FORMATS["float32"])
    np.testing.assert_allclose(got, [24 * math.log10(2)] * 2 + [3, 0, 0, 0, math.nan], rtol=1e-15)


def test_squares_that_overflow_are_counted_where_the_variance_fits() -> None:
    exact = truth(np.array([[[300.0, -300.0] * 2, [200.0, -200.0] * 2, [100.0, -100.0] * 2]]))
    variances = Exact.variance(exact, 0)  # 90000, 40000, 10000; the sums of squares are four times that
    assert variances.in_range(FORMATS["float16"]).tolist() == [False, True, True]
    assert variances.squares_overflow(FORMATS["float16"]) == 1
    assert variances.squares_overflow(FORMATS["float32"]) == 0


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("large", [1, 10**400, 10**4000], ids=["1", "1e400", "1e4000"])
def test_a_quotient_of_integers_beyond_float64(sign: int, large: int) -> None:
    """Integers that no float holds, whose quotient is normal, below the smallest number, or above the largest."""
    assert score.quotient(sign * large, 4 * large) == sign * 0.25
    assert score.quotient(sign * large, large * 10**400) == sign * 5e-324
    assert score.quotient(sign * large * 10**400, large) == sign * math.inf
    assert score.quotient(0, large) == 0
    # An error against 0 has no size, however large it is.
    assert Exact([Fraction(0)]).errors(np.array([1.0])).tolist() == [math.inf]
    tiny = Fraction(sign, large * 10**400)
    assert Exact([tiny]).errors(np.array([0.0])).tolist() == [-sign]
