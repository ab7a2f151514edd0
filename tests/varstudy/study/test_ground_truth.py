"""Ground truth: exact sums, Python's integers, rationals and a textbook two-pass in mpmath, to the last bit.

The rows below are random and hostile, short for the most part so that there can be many: 102,400 of them.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from varkernels import views
from varkernels.formats import FLOAT32, FORMATS, Format
from varkernels.rounding import round_to, ulp
from varstudy.study.ground_truth import Truth, truth

ALL = list(FORMATS.values())
UNSIGNED = {2: np.uint16, 4: np.uint32, 8: np.uint64}
CORRECTIONS: tuple[Any, ...] = (0, 1, 0.5, Fraction(4, 3), -2.25)

# Each family makes this many rows for each of the lengths 1 to 8, in each format: with -m long 102,400 in all.
ROWS = 100
ROWS_LONG = 400
LENGTHS = range(1, 9)

formats = pytest.mark.parametrize("fmt", ALL, ids=str)


def reference_two_pass(values: NDArray[Any], bits: int = 256) -> tuple[Any, Any]:
    """Mean and sum of squared deviations as a textbook has them, in mpmath: what `truth` is checked against.

    The working precision holds every bit of the values' squares twice over. So both answers round as the
    exact ones do, unless the mean is no binary number and the exact M2 lies halfway between two numbers of
    `bits` bits.

    Parameters
    ----------
    values : at least one finite float16, bfloat16, float32 or float64 number.
    bits : the precision of the answers.

    Returns
    -------
    (mean, M2), two mpmath numbers, in the unit of the values and in its square.

    Raises
    ------
    ValueError
        There are no values, or some that are not finite.
    """
    floats = [float(v) for v in np.asarray(values)]
    if not floats or not all(map(math.isfinite, floats)):
        raise ValueError("values must be finite numbers, at least one")
    exponents = [math.frexp(v)[1] for v in floats if v]
    span = max(exponents) - min(exponents) + 53 if exponents else 0
    with mpmath.workprec(bits + 4 * span + 2 * len(floats).bit_length() + 64):
        x = [mpmath.mpf(v) for v in floats]  # rounds to the working precision: not before it is set
        mean = sum(x, mpmath.mpf(0)) / len(x)
        m2 = sum(((v - mean) ** 2 for v in x), mpmath.mpf(0))
    with mpmath.workprec(bits):
        return +mean, +m2


@pytest.fixture(autouse=True)
def _mpmath_precision_stays() -> Iterator[None]:
    before = mpmath.mp.prec
    yield
    assert mpmath.mp.prec == before


# ---------------------------------------------------------------------------------------------- hostile rows


def assemble(fmt: Format, sign: Any, exponent: Any, fraction: Any) -> NDArray[Any]:
    """Numbers from their three bit fields."""
    sign, exponent, fraction = (np.asarray(v).astype(np.uint64) for v in (sign, exponent, fraction))
    width, p = np.uint64(8 * fmt.dtype.itemsize - 1), np.uint64(fmt.precision - 1)
    patterns = (sign << width) | (exponent << p) | fraction
    return np.asarray(patterns.astype(UNSIGNED[fmt.dtype.itemsize]).view(fmt.dtype))


def patterns(fmt: Format, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """Random bit patterns of all finite numbers."""
    fields = rng.integers(0, fmt.emax - fmt.emin + 2, shape)
    return assemble(fmt, rng.integers(0, 2, shape), fields, rng.integers(0, 2 ** (fmt.precision - 1), shape))


def subnormal(fmt: Format, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """Subnormal numbers, zeros and the smallest normal ones."""
    fields = rng.integers(0, 5, shape) // 4
    few = rng.integers(0, 4, shape)
    fraction = np.where(rng.integers(0, 2, shape), few, rng.integers(0, 2 ** (fmt.precision - 1), shape))
    return assemble(fmt, rng.integers(0, 2, shape), fields, fraction)


def extreme(fmt: Format, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """The largest and the smallest numbers side by side, and in float64 1e300 beside 1e-300."""
    large, small = (1e300, 1e-300) if fmt.precision == 53 else (float(fmt.largest) / 3, 2.0 ** (fmt.emin + 2))
    ends = [float(fmt.largest), float(fmt.smallest_subnormal), large, small, 1.0, 0.0]
    table = np.array(ends + [-v for v in ends]).astype(fmt.dtype)
    return np.asarray(table[rng.integers(0, len(table), shape)])


def cancelling(fmt: Format, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """Numbers and their opposites in any order; where the length is odd, a small one is left."""
    rows, length = shape
    half = patterns(fmt, rng, (rows, length // 2))
    rest = subnormal(fmt, rng, (rows, length % 2))
    return np.asarray(rng.permuted(np.concatenate([half, -half, rest], axis=1), axis=1))


def constant(fmt: Format, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    return np.repeat(patterns(fmt, rng, (shape[0], 1)), shape[1], axis=1)


def neighbours(fmt: Format, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """Numbers at most three units apart, also across a power of two: the largest condition numbers."""
    top = fmt.emax - fmt.emin + 1
    first = rng.integers(4, top << (fmt.precision - 1), (shape[0], 1), dtype=np.uint64)
    powers = rng.integers(1, top, (shape[0], 1)).astype(np.uint64) << np.uint64(fmt.precision - 1)
    start = np.where(rng.integers(0, 2, (shape[0], 1)), first, powers - np.uint64(1))
    steps = rng.integers(0, 4, shape).astype(np.uint64)
    return np.asarray((start + steps).astype(UNSIGNED[fmt.dtype.itemsize]).view(fmt.dtype))


def offset(fmt: Format, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """A mean far from 0, as a channel's activations may have it."""
    return np.asarray((1000 + rng.standard_normal(shape)).astype(fmt.dtype))


def whole(fmt: Format, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """Small whole numbers: means and variances that are ties or end after a few bits."""
    return np.asarray(rng.integers(-3, 4, shape).astype(fmt.dtype))


FAMILIES = (patterns, subnormal, extreme, cancelling, constant, neighbours, offset, whole)


# ----------------------------------------------------------------------------------------------- the oracles


def value_of(number: Any) -> Fraction:
    """An mpmath number as a rational."""
    sign, man, exp, _ = number._mpf_
    assert man or not exp, f"{number} is not finite"
    magnitude = int(man) << exp if exp >= 0 else Fraction(int(man), 1 << -exp)
    return Fraction(-magnitude if sign else magnitude)


@cache
def power(exponent: int) -> Fraction:
    return Fraction(2) ** exponent


def nearest(x: Fraction, bits: int) -> Fraction:
    """x rounded to `bits` bits, ties to even, with exponents that have no end."""
    if not x:
        return x
    size = abs(x)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < power(exponent)
    shift = exponent - bits + 1
    above, below = x.numerator << max(-shift, 0), x.denominator << max(shift, 0)
    whole, rest = divmod(above, below)
    whole += 2 * rest > below or (2 * rest == below and whole % 2)  # ties to even
    return whole * power(shift)


def is_nearest_root(root: Fraction, x: Fraction, bits: int) -> bool:
    """Whether root is sqrt(x) rounded to `bits` bits, by squares alone."""
    exponent = root.numerator.bit_length() - root.denominator.bit_length()
    exponent -= root < power(exponent)
    unit = power(exponent - bits + 1)
    if (root / unit).denominator != 1:
        return False
    below = unit / 4 if root == power(exponent) else unit / 2
    return (root - below) ** 2 <= x <= (root + unit / 2) ** 2


def integers_of(rows: NDArray[Any]) -> tuple[list[list[int]], list[int]]:
    """Each row's values as integers times one power of two."""
    significands, exponents = np.frexp(rows.astype(np.float64))
    whole_numbers = np.ldexp(significands, 53).astype(np.int64).tolist()
    exponents = exponents - 53
    least = exponents.min(axis=1)
    shifts = (exponents - least[:, np.newaxis]).tolist()
    shifted = [
        [m << s for m, s in zip(ms, row_shifts, strict=True)]
        for ms, row_shifts in zip(whole_numbers, shifts, strict=True)
    ]
    return shifted, least.tolist()


def hold_against_each_other(rows: NDArray[Any], bits: int = 256) -> None:
    """Exact sums, integers, rationals and the two-pass in mpmath, for an array (rows, values)."""
    n = rows.shape[1]
    exact = truth(rows[np.newaxis], bits=bits)
    variances = [exact.variance(correction) for correction in CORRECTIONS]
    integers, exponents = integers_of(rows)
    assert len(exact) == len(rows) == len(integers)
    for r, (whole_numbers, exponent) in enumerate(zip(integers, exponents, strict=True)):
        # Python's integers
        s1, s2 = sum(whole_numbers), sum(v * v for v in whole_numbers)
        sums = exact.sums[r]
        assert (sums.count, sums.nan, sums.posinf, sums.neginf) == (n, 0, 0, 0)
        assert sums.s1 * power(sums.exponent) == s1 * power(exponent)
        assert sums.s2 * power(2 * sums.exponent) == s2 * power(2 * exponent)
        # rationals, by the textbook, over one denominator
        mean = Fraction(s1, n) * power(exponent)
        m2 = Fraction(sum((n * v - s1) ** 2 for v in whole_numbers), n * n) * power(2 * exponent)
        assert exact.mean_fraction(r) == mean
        assert exact.m2_fraction(r) == m2
        assert m2 * n == (n * s2 - s1 * s1) * power(2 * exponent)
        # mpmath, by the textbook
        assert (exact.mean[r], exact.m2[r]) == reference_two_pass(rows[r], bits)
        # each rounded once
        assert value_of(exact.mean[r]) == nearest(mean, bits)
        assert value_of(exact.m2[r]) == nearest(m2, bits)
        for correction, answers in zip(CORRECTIONS, variances, strict=True):
            if n <= correction:
                assert mpmath.isnan(answers[r])
                continue
            variance = m2 / (n - Fraction(correction))
            assert exact.variance_fraction(r, correction) == variance
            assert value_of(answers[r]) == nearest(variance, bits)
        if m2:
            kappa = value_of(exact.kappa[r])
            assert is_nearest_root(kappa, s2 * power(2 * exponent) / m2, bits)
        else:
            assert exact.kappa[r] == (mpmath.inf if s1 else 1)


# ------------------------------------------------------------------------------------------- to the last bit


def test_there_are_enough_rows() -> None:
    assert len(FAMILIES) * len(ALL) * len(LENGTHS) * ROWS_LONG >= 100_000


@formats
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
@pytest.mark.parametrize("many", [ROWS, pytest.param(ROWS_LONG, marks=pytest.mark.long)])
def test_four_ways_to_the_same_moments(fmt: Format, family: Any, many: int) -> None:
    rng = np.random.default_rng([fmt.precision, FAMILIES.index(family)])
    for length in LENGTHS:
        rows = family(fmt, rng, (many, length))
        assert rows.dtype == fmt.dtype
        assert rows.shape == (many, length)
        hold_against_each_other(rows)


@formats
@pytest.mark.parametrize("length", [63, 257, 1000])
def test_four_ways_on_longer_rows(fmt: Format, length: int) -> None:
    rng = np.random.default_rng([fmt.precision, length])
    for family in FAMILIES:
        hold_against_each_other(family(fmt, rng, (2, length)))


@formats
@pytest.mark.parametrize("bits", [1, 2, 11, 24, 53, 64, 1000])
def test_any_precision_is_rounded_once(fmt: Format, bits: int) -> None:
    """Fewer bits, more ties: the mpmath two-pass is left out, since it takes a tie of M2 for either side."""
    rng = np.random.default_rng(bits)
    for family in (patterns, neighbours, offset, whole):
        rows = family(fmt, rng, (40, 5))
        exact = truth(rows[np.newaxis], bits=bits)
        for r in range(len(rows)):
            assert value_of(exact.mean[r]) == nearest(exact.mean_fraction(r), bits)
            assert value_of(exact.m2[r]) == nearest(exact.m2_fraction(r), bits)
            assert value_of(exact.variance(1.5)[r]) == nearest(exact.variance_fraction(r, 1.5), bits)
            if exact.m2[r]:
                squares = exact.m2_fraction(r) + 5 * exact.mean_fraction(r) ** 2
                assert is_nearest_root(value_of(exact.kappa[r]), squares / exact.m2_fraction(r), bits)


def test_a_balanced_pair_needs_no_oracle() -> None:
    """M +- d, both exact: mean M, M2 = n d^2 and kappa = sqrt(1 + (M / d)^2) in closed form."""
    for fmt in ALL:
        for n in (2, 10, 4096, 2**18):
            big, small = 2.0 ** (fmt.precision - 2), 1.0
            row = np.tile(np.array([big + small, big - small], dtype=fmt.dtype), n // 2)
            exact = truth(row.reshape(1, 1, -1))
            assert exact.mean_fraction(0) == big
            assert exact.m2_fraction(0) == n
            assert exact.variance_fraction(0) == 1
            assert is_nearest_root(value_of(exact.kappa[0]), 1 + Fraction(big) ** 2, 256)


def test_published_values() -> None:
    exact = truth([[[10000.0, 10001.0, 10002.0]]])
    assert exact.variance_fraction(0, 1) == 1
    assert exact.mean[0] == 10001
    pair = truth([[[1e16, 1e16 + 2]]])
    assert pair.variance(0)[0] == 1
    assert pair.variance(1)[0] == 2
    tenth = truth(np.full((1, 1, 7), np.float32(0.1)))
    assert tenth.mean_fraction(0) == Fraction(float(np.float32(0.1)))
    assert tenth.m2[0] == tenth.variance(0)[0] == 0
    assert truth([[[1e300, -1e300, 1e-300]]]).mean_fraction(0) == Fraction(1e-300) / 3


# ---------------------------------------------------------------------------------------- mpmath's precision


@contextlib.contextmanager
def precision(bits: int) -> Iterator[None]:
    with mpmath.workprec(bits):
        yield
        assert mpmath.mp.prec == bits


@pytest.mark.parametrize("ambient", [1, 10, 53, 2000])
def test_the_users_precision_neither_matters_nor_changes(ambient: int) -> None:
    rows = np.array([[1 + 2.0**-40, 1.0, 3.0], [0.1, 0.7, -0.3], [1e300, 1e-300, 5e-324]])
    want = truth(rows[np.newaxis])
    usual = [want.mean, want.m2, want.variance(1), want.kappa]
    references = [reference_two_pass(row) for row in rows]
    with precision(ambient):
        exact = truth(rows[np.newaxis])
        got = [exact.mean, exact.m2, exact.variance(1), exact.kappa]
        again = [reference_two_pass(row) for row in rows]
        rounded = [round_to(v, "float64") for v in exact.m2]
        spacings = [ulp(v, "float64") for v in exact.m2]
    for ours, theirs in zip(got, usual, strict=True):
        assert [v._mpf_ for v in ours] == [v._mpf_ for v in theirs]
    assert [(m._mpf_, s._mpf_) for m, s in again] == [(m._mpf_, s._mpf_) for m, s in references]
    assert rounded == [round_to(v, "float64") for v in want.m2]
    assert spacings == [ulp(v, "float64") for v in want.m2]


def test_errors_leave_the_precision_alone() -> None:
    with precision(77):
        for values in ([], [math.nan], [1.0, math.inf]):
            with pytest.raises(ValueError, match=r"^values must be finite numbers, at least one$"):
                reference_two_pass(np.array(values))
        with pytest.raises(ValueError, match="correction"):
            truth(np.zeros((1, 1, 2))).variance(math.nan)


# -------------------------------------------------------------------------------------- rounding the answers


@formats
def test_answers_rounded_to_a_format_are_rounded_from_the_exact_ones(fmt: Format) -> None:
    """256 bits are so many that a second rounding, to a format, changes nothing but at its ties."""
    rng = np.random.default_rng(21)
    rows = np.concatenate([family(fmt, rng, (60, 6)) for family in (offset, neighbours, whole)])
    exact = truth(rows[np.newaxis])
    for r in range(len(rows)):
        want = round_to(exact.variance_fraction(r, 1), fmt)
        got = round_to(exact.variance(1)[r], fmt)
        assert type(got) is fmt.dtype.type
        assert got == want


# ------------------------------------------------------------------------------ what has no rational moments


@formats
def test_nan_infinities_and_empty_rows_are_answered_as_such(fmt: Format) -> None:
    nan, inf = math.nan, math.inf
    rows = np.array(
        [
            [1.0, 2.0, 3.0],
            [1.0, nan, 3.0],
            [inf, 2.0, 3.0],
            [-inf, 2.0, -inf],
            [inf, 2.0, -inf],
            [inf, nan, 3.0],
            [nan, nan, nan],
            [0.0, -0.0, 0.0],
        ]
    ).astype(fmt.dtype)
    exact = truth(rows[np.newaxis])
    assert exact.count.tolist() == [3] * 8
    assert exact.nan.tolist() == [0, 1, 0, 0, 0, 1, 3, 0]
    assert exact.posinf.tolist() == [0, 0, 1, 0, 1, 1, 0, 0]
    assert exact.neginf.tolist() == [0, 0, 0, 2, 1, 0, 0, 0]
    assert exact.finite.tolist() == [True, False, False, False, False, False, False, True]
    means = [float(v) for v in exact.mean]
    np.testing.assert_array_equal(means, [2.0, nan, inf, -inf, nan, nan, nan, 0.0])
    for answers, first in ((exact.m2, 2.0), (exact.variance(0), 2 / 3), (exact.variance(1), 1.0)):
        np.testing.assert_array_equal([float(v) for v in answers], [first, *[nan] * 6, 0.0])
    np.testing.assert_array_equal([float(v) for v in exact.kappa], [math.sqrt(7.0), *[nan] * 6, 1.0])
    for r in range(1, 7):
        n, infinite = int(exact.nan[r]), int(exact.posinf[r] + exact.neginf[r])
        message = rf"^row {r} has {n} NaN and {infinite} infinite values: its moments are not rational$"
        for method in (exact.mean_fraction, exact.m2_fraction, exact.variance_fraction):
            with pytest.raises(ValueError, match=message):
                method(r)


@pytest.mark.parametrize("shape", [(0, 2, 4), (3, 2, 0)])
def test_rows_without_values_have_no_moments(shape: tuple[int, ...]) -> None:
    exact = truth(np.zeros(shape, np.float32))
    assert exact.count.tolist() == [0, 0]
    assert exact.finite.tolist() == [False, False]
    for answers in (exact.mean, exact.m2, exact.variance(0), exact.variance(-1), exact.kappa):
        assert [bool(mpmath.isnan(v)) for v in answers] == [True, True]
    for method in (exact.mean_fraction, exact.m2_fraction, exact.variance_fraction):
        with pytest.raises(ValueError, match=r"^row 1 has no values: its moments are no numbers$"):
            method(1)


def test_no_rows_at_all() -> None:
    exact = truth(np.zeros((3, 0, 4)))
    assert len(exact) == 0
    assert exact.finite.shape == exact.count.shape == (0,)
    assert exact.mean == exact.m2 == exact.variance(1) == exact.kappa == []


def test_a_correction_that_leaves_nothing() -> None:
    exact = truth([[[1.0, 2.0, 4.0]]])
    for correction in (3, 3.0, Fraction(7, 2), np.float32(3.5), 10**30):
        assert mpmath.isnan(exact.variance(correction)[0])
        with pytest.raises(ValueError, match=r"^row 0 has 3 values: no variance for correction="):
            exact.variance_fraction(0, correction)
    just = 3 - Fraction(1, 2**80)
    assert exact.variance_fraction(0, just) == exact.m2_fraction(0) * 2**80
    assert mpmath.isnan(truth([[[5.0]]]).variance(1)[0])
    assert truth([[[5.0]]]).variance(0)[0] == 0


@pytest.mark.parametrize("correction", [math.nan, math.inf, -math.inf, None, "one", 1j, np.float32("nan")])
def test_corrections_that_are_no_finite_numbers(correction: Any) -> None:
    exact = truth([[[1.0, 2.0]]])
    for method in (exact.variance, lambda c: exact.variance_fraction(0, c)):
        with pytest.raises(ValueError, match=r"^correction=.*: give a finite number, such as 0 or 1$"):
            method(correction)


@pytest.mark.parametrize("correction", [1.5, Fraction(3, 2), np.float32(1.5), np.float64(1.5)])
def test_kinds_of_corrections(correction: Any) -> None:
    exact = truth([[[1.0, 2.0, 4.0]]])
    assert exact.variance_fraction(0, correction) == Fraction(14, 3) / Fraction(3, 2)
    assert exact.variance_fraction(0, np.int64(1)) == exact.variance_fraction(0, 1) == Fraction(7, 3)


@pytest.mark.parametrize("bits", [0, -1, 2.0, True, None, "256"])
def test_bits_must_be_a_positive_whole_number(bits: Any) -> None:
    with pytest.raises(ValueError, match=rf"^bits={bits!r}: give a positive whole number, such as 256$"):
        truth([[[1.0]]], bits=bits)


def test_views_of_a_wrong_kind() -> None:
    with pytest.raises(TypeError, match=r"^dtype .* is not supported: use one of float16"):
        truth(np.zeros((1, 1, 2), np.int32))
    with pytest.raises(ValueError, match=r"^view has shape \(4,\): it must be"):
        truth(np.zeros(4))


# -------------------------------------------------------------------------------------------- views and laws


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "group"])
def test_rows_of_a_feature_map(norm: str, layout: str) -> None:
    x = patterns(FLOAT32, np.random.default_rng(4), (2, 4, 3, 6))
    view = views.view(x, norm, layout=layout, groups=2 if norm == "group" else None)
    blocks = view if view.ndim == 4 else view[np.newaxis]
    rows = [block[:, r].ravel() for block in blocks for r in range(block.shape[1])]
    exact = truth(view)
    assert len(exact) == len(rows)
    for r, row in enumerate(rows):
        mean = sum(Fraction(float(v)) for v in row) / len(row)
        assert exact.mean_fraction(r) == mean
        assert exact.m2_fraction(r) == sum((Fraction(float(v)) - mean) ** 2 for v in row)


finite = st.floats(allow_nan=False, allow_infinity=False)


def of(values: list[float]) -> Truth:
    return truth(np.array(values).reshape(1, 1, -1))


@given(values=st.lists(finite, min_size=1, max_size=9), scale=st.integers(-5, 5))
@settings(deadline=None, max_examples=60)
def test_scaling_by_a_power_of_two(values: list[float], scale: int) -> None:
    values = [math.ldexp(v, -10) for v in values]
    scaled = [math.ldexp(v, scale) for v in values]
    if any(math.ldexp(s, -scale) != v for s, v in zip(scaled, values, strict=True)):
        return  # a subnormal number has lost a bit
    a, b = of(values), of(scaled)
    assert b.mean_fraction(0) == a.mean_fraction(0) * power(scale)
    assert b.m2_fraction(0) == a.m2_fraction(0) * power(2 * scale)
    assert b.kappa[0] == a.kappa[0]


@given(left=st.lists(finite, min_size=1, max_size=9), right=st.lists(finite, min_size=1, max_size=9))
@settings(deadline=None, max_examples=60)
def test_merging_two_samples(left: list[float], right: list[float]) -> None:
    """Chan, Golub, LeVeque 1983, eq. 2.1, in exact arithmetic."""
    a, b, both = of(left), of(right), of(left + right)
    n, m = len(left), len(right)
    delta = b.mean_fraction(0) - a.mean_fraction(0)
    assert both.mean_fraction(0) == a.mean_fraction(0) + delta * m / (n + m)
    assert both.m2_fraction(0) == a.m2_fraction(0) + b.m2_fraction(0) + delta**2 * n * m / (n + m)


@given(values=st.lists(finite, min_size=2, max_size=12))
@settings(deadline=None, max_examples=60)
def test_kappa_is_at_least_one_and_m2_not_negative(values: list[float]) -> None:
    exact = of(values)
    assert exact.m2_fraction(0) >= 0
    assert (exact.m2_fraction(0) == 0) == (len({v + 0.0 for v in values}) == 1)
    assert exact.kappa[0] >= 1
    assert min(values) <= exact.mean_fraction(0) <= max(values)
