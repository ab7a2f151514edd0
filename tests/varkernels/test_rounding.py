"""Correct rounding to the four formats and the spacing of their numbers, against exact rationals."""

from __future__ import annotations

import math
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from varkernels.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, FORMATS, Format
from varkernels.rounding import round_to, ulp
from varstudy.study.featuremaps import storing

ALL = list(FORMATS.values())
SMALL = [FLOAT16, BFLOAT16]
UNSIGNED = {2: np.uint16, 4: np.uint32, 8: np.uint64}

formats = pytest.mark.parametrize("fmt", ALL, ids=str)
rationals = st.builds(
    lambda m, e: Fraction(m) * Fraction(2) ** e, st.integers(-(2**70), 2**70), st.integers(-1250, 1010)
) | st.fractions(max_denominator=10**12)


def bits_of(value: Any) -> int:
    """The bit pattern of a numpy scalar: tells -0.0 from 0.0 and one NaN from another."""
    return int(np.asarray(value).reshape(1).view(UNSIGNED[np.dtype(type(value)).itemsize])[0])


def same(value: Any, expected: Any) -> bool:
    return type(value) is type(expected) and bits_of(value) == bits_of(expected)


def from_bits(fmt: Format, patterns: Any) -> NDArray[Any]:
    """The numbers with these bit patterns."""
    unsigned = UNSIGNED[fmt.dtype.itemsize]
    return np.asarray(patterns, dtype=np.uint64).astype(unsigned).view(fmt.dtype)


def largest_bits(fmt: Format) -> int:
    """The bit pattern of the largest finite number."""
    return ((fmt.emax - fmt.emin + 1) << (fmt.precision - 1)) | ((1 << (fmt.precision - 1)) - 1)


def exact(value: Any) -> Fraction:
    return Fraction(float(value))


def positive_patterns(fmt: Format) -> NDArray[np.uint64]:
    """Patterns of finite numbers >= 0 but the largest: all of them for a format of 16 bits."""
    top = largest_bits(fmt)
    if fmt in SMALL:
        return np.arange(top, dtype=np.uint64)
    rng = np.random.default_rng(fmt.precision)
    random = rng.integers(0, top, 4000, dtype=np.uint64)
    subnormal = rng.integers(0, 1 << (fmt.precision - 1), 500, dtype=np.uint64)
    fields = np.arange(1, fmt.emax - fmt.emin + 2, dtype=np.uint64) << np.uint64(fmt.precision - 1)
    ends = np.arange(20, dtype=np.uint64)
    return np.concatenate([random, subnormal, fields, fields - np.uint64(1), ends, np.uint64(top - 1) - ends])


# -------------------------------------------------------------------------------------------------- round_to


@pytest.mark.parametrize("fmt", SMALL, ids=str)
def test_every_number_of_sixteen_bits_is_left_as_it_is(fmt: Format) -> None:
    numbers = from_bits(fmt, np.arange(65536))
    with np.errstate(invalid="ignore"):  # signalling NaNs
        values = numbers.astype(np.float64)
    assert np.isfinite(values).sum() == 2 * (largest_bits(fmt) + 1)
    for number, value in zip(numbers, values.tolist(), strict=True):
        if math.isnan(value):
            assert np.isnan(round_to(value, fmt))
            continue
        assert same(round_to(value, fmt), number)
        if math.isfinite(value) and value:
            assert same(round_to(Fraction(value), fmt), number)


@formats
def test_between_two_neighbours_the_nearer_and_at_the_middle_the_even_one(fmt: Format) -> None:
    """For the formats of 16 bits: every pair of neighbours, subnormal numbers and binades' ends included."""
    patterns = positive_patterns(fmt)
    lower, upper = from_bits(fmt, patterns), from_bits(fmt, patterns + np.uint64(1))
    odd = (patterns % 2).astype(bool)
    assert len(patterns) > 4000
    for low, high, choose_high in zip(lower, upper, odd, strict=True):
        middle = (exact(low) + exact(high)) / 2
        nudge = middle / 2**200
        assert same(round_to(middle, fmt), high if choose_high else low)
        assert same(round_to(-middle, fmt), -high if choose_high else -low)
        assert same(round_to(middle - nudge, fmt), low)
        assert same(round_to(-middle - nudge, fmt), -high)


@formats
def test_overflow_begins_half_a_unit_above_the_largest_number(fmt: Format) -> None:
    largest = from_bits(fmt, [largest_bits(fmt)])[0]
    infinity = fmt.dtype.type(np.inf)
    threshold = Fraction(2) ** fmt.emax * (2 - Fraction(1, 2**fmt.precision))
    assert exact(largest) == fmt.largest
    assert same(round_to(fmt.largest, fmt), largest)
    assert same(round_to(threshold, fmt), infinity)
    assert same(round_to(threshold - Fraction(1, 2**300), fmt), largest)
    assert same(round_to(-threshold, fmt), -infinity)
    assert same(round_to(Fraction(1, 2**300) - threshold, fmt), -largest)
    assert same(round_to(2 ** (fmt.emax + 1), fmt), infinity)
    assert same(round_to(-(2**5000), fmt), -infinity)


@formats
def test_underflow_keeps_the_sign(fmt: Format) -> None:
    tiny = fmt.smallest_subnormal
    zero, least = from_bits(fmt, [0, 1])
    assert same(round_to(tiny / 2, fmt), zero)
    assert same(round_to(-tiny / 2, fmt), -zero)
    assert same(round_to(tiny / 2 + tiny / 2**400, fmt), least)
    assert same(round_to(-tiny / 2 - tiny / 2**400, fmt), -least)
    assert same(round_to(Fraction(3, 2) * tiny, fmt), from_bits(fmt, [2])[0])
    assert same(round_to(Fraction(1, 2**9000), fmt), zero)
    assert same(round_to(Fraction(-1, 2**9000), fmt), -zero)
    assert same(round_to(Fraction(0), fmt), zero)
    assert same(round_to(0, fmt), zero)
    assert same(round_to(-0.0, fmt), -zero)
    assert same(round_to(mpmath.mpf(0), fmt), zero)


@formats
def test_nan_and_infinities_stay(fmt: Format) -> None:
    for infinity in (math.inf, -math.inf):
        for value in (infinity, mpmath.mpf(infinity), np.float32(infinity), fmt.dtype.type(infinity)):
            assert same(round_to(value, fmt), fmt.dtype.type(infinity))
    for value in (math.nan, mpmath.nan, np.float32(math.nan), fmt.dtype.type(math.nan)):
        assert np.isnan(round_to(value, fmt))


def test_rounding_through_a_float_rounds_twice() -> None:
    just_above = 1 + Fraction(1, 2**24) + Fraction(1, 2**60)  # a tie of float32, and a bit that float64 drops
    assert np.float32(float(just_above)) == np.float32(1)
    assert same(round_to(just_above, "float32"), np.nextafter(np.float32(1), np.float32(2)))
    just_below = 1 + Fraction(3, 2**24) - Fraction(1, 2**60)
    assert np.float32(float(just_below)) == np.float32(1 + 2.0**-22)
    assert same(round_to(just_below, "float32"), np.float32(1 + 2.0**-23))
    subnormal = Fraction(2) ** -150 + Fraction(2) ** -210
    assert np.float32(float(subnormal)) == 0
    assert same(round_to(subnormal, "float32"), np.float32(2.0**-149))
    with mpmath.workprec(300):
        least = mpmath.mpf(2) ** -1075 + mpmath.mpf(2) ** -1200
        below = -least
    assert same(round_to(least, "float64"), np.float64(5e-324))
    assert same(round_to(below, "float64"), np.float64(-5e-324))
    near_half = 1 + Fraction(1, 2**11) + Fraction(1, 2**40)  # float32 in between would make a tie of it
    assert np.float16(np.float32(near_half)) == np.float16(1)
    assert same(round_to(near_half, "float16"), np.float16(1 + 2.0**-10))
    near_brain = 1 + 2.0**-8 + 2.0**-40
    assert BFLOAT16.dtype.type(np.float32(near_brain)) == BFLOAT16.dtype.type(1)
    assert same(round_to(near_brain, "bfloat16"), BFLOAT16.dtype.type(1 + 2.0**-7))


def test_against_the_machines_own_conversions() -> None:
    rng = np.random.default_rng(11)
    with np.errstate(over="ignore", under="ignore"):
        doubles = np.ldexp(rng.uniform(-2, 2, 3000), rng.integers(-160, 130, 3000))
        singles = doubles.astype(np.float32)
        for value, single in zip(doubles.tolist(), singles, strict=True):
            assert same(round_to(value, "float32"), single)
        halves = np.ldexp(rng.uniform(-2, 2, 3000), rng.integers(-27, 17, 3000))
        for value, half in zip(halves.tolist(), halves.astype(np.float16), strict=True):
            assert same(round_to(value, "float16"), half)
        for value, brain in zip(singles.tolist(), singles.astype(BFLOAT16.dtype), strict=True):
            assert same(round_to(value, "bfloat16"), brain)
    for p, q in rng.integers(1, 2**62, (3000, 2)).tolist():
        assert same(round_to(Fraction(p, q), "float64"), np.float64(p / q))  # Python's division rounds once
        assert same(round_to(p, "float64"), np.float64(p))


@formats
@given(x=rationals)
@settings(deadline=None, max_examples=150)
def test_error_of_at_most_half_an_ulp_and_symmetry(fmt: Format, x: Fraction) -> None:
    number = round_to(x, fmt)
    assert same(round_to(-x, fmt), -number if x else number)
    if np.isinf(number):
        assert abs(x) > fmt.largest
        return
    assert abs(exact(number) - x) <= ulp(x, fmt) / 2
    assert same(round_to(exact(number), fmt), number if number else abs(number))


@formats
@given(x=rationals, y=rationals)
@settings(deadline=None, max_examples=100)
def test_rounding_is_monotone(fmt: Format, x: Fraction, y: Fraction) -> None:
    assert round_to(min(x, y), fmt) <= round_to(max(x, y), fmt)


@formats
def test_every_kind_of_number_is_taken_as_exactly_what_it_is(fmt: Format) -> None:
    number = fmt.dtype.type(2.75)
    kinds = [2.75, Fraction(11, 4), mpmath.mpf("2.75"), Decimal("2.75"), np.longdouble("2.75")]
    kinds += [other.dtype.type(2.75) for other in ALL]
    for value in kinds:
        assert same(round_to(value, fmt), number)
        assert ulp(value, fmt) == Fraction(2) ** (2 - fmt.precision)
    for whole in (7, np.int64(7), np.uint8(7), np.int32(7), mpmath.mpf(7)):
        assert same(round_to(whole, fmt), fmt.dtype.type(7))
        assert ulp(whole, fmt) == Fraction(2) ** (3 - fmt.precision)
    assert same(round_to(np.uint64(2**64 - 1), "float64"), np.float64(2.0**64))
    assert same(round_to(Decimal(10) ** -330, "float64"), np.float64(0))


def test_formats_by_name_dtype_and_themselves() -> None:
    for fmt in ALL:
        for name in (fmt, fmt.name, fmt.dtype, fmt.dtype.type):
            assert same(round_to(Fraction(1, 3), name), round_to(Fraction(1, 3), fmt))
            assert ulp(Fraction(1, 3), name) == Fraction(2) ** (-1 - fmt.precision)


def test_rounding_refuses_what_is_no_number() -> None:
    for function in (round_to, ulp):
        for value in ("1.5", None, 1j, [1.0]):
            with pytest.raises(TypeError, match=r"is not an exact number: give a Fraction, an int, a float"):
                function(value, "float32")
        for fmt in ("float8", np.int32, np.complex64, "f80"):
            with pytest.raises(TypeError, match=r"is not supported: use one of float16, bfloat16"):
                function(1.0, fmt)


def test_storing_a_fraction_beyond_every_format_is_refused() -> None:
    for storage in FORMATS:
        for value in (Fraction(10**400), -Fraction(10**400)):
            with pytest.raises(ValueError, match=rf"^-?inf overflows {storage}$"):
                storing.round_fraction(value, storage)
    assert math.copysign(1, storing.round_fraction(Fraction(-1, 10**400), "float64")) == -1
    with pytest.raises(ValueError, match=r"^-70000 overflows float16$"):
        storing.round_fraction(Fraction(-70000), "float16")


# ------------------------------------------------------------------------------------------------------- ulp


@formats
def test_ulp_is_the_distance_to_the_next_number(fmt: Format) -> None:
    """For the formats of 16 bits: of every number."""
    patterns = positive_patterns(fmt)
    for low, high in zip(from_bits(fmt, patterns), from_bits(fmt, patterns + np.uint64(1)), strict=True):
        spacing = exact(high) - exact(low)
        assert ulp(low, fmt) == spacing
        assert ulp(-exact(low), fmt) == spacing
        assert ulp((exact(low) + 2 * exact(high)) / 3, fmt) == spacing


@formats
def test_ulp_at_the_ends(fmt: Format) -> None:
    p, tiny = fmt.precision, fmt.smallest_subnormal
    assert ulp(1, fmt) == Fraction(2) ** (1 - p)
    assert ulp(1 - Fraction(1, 2**900), fmt) == Fraction(2) ** -p
    assert ulp(0.0, fmt) == ulp(-0.0, fmt) == ulp(Fraction(0), fmt) == ulp(0, fmt) == tiny
    assert ulp(tiny / 2**100, fmt) == tiny
    assert ulp(fmt.smallest_normal, fmt) == ulp(2 * fmt.smallest_normal - tiny, fmt) == tiny
    assert ulp(2 * fmt.smallest_normal, fmt) == 2 * tiny
    assert ulp(fmt.largest, fmt) == Fraction(2) ** (fmt.emax - p + 1)
    assert ulp(Fraction(2) ** (fmt.emax + 7), fmt) == Fraction(2) ** (fmt.emax + 7 - p + 1)
    for value in (math.inf, -math.inf, math.nan, mpmath.inf, np.float32("nan")):
        with pytest.raises(ValueError, match=r"^value .* has no ulp: it is not finite$"):
            ulp(value, fmt)


def test_float64_agrees_with_the_standard_library() -> None:
    for value in (1.0, 0.1, 1e308, 5e-324, 2.0**-1022, 3.0, 12345.678, sys.float_info.max):
        assert ulp(value, FLOAT64) == Fraction(math.ulp(value))
    assert ulp(np.float32(0.1), FLOAT32) == Fraction(float(np.spacing(np.float32(0.1))))


# --------------------------------------------------------------------------------------------------- imports


def test_rounding_needs_no_mpmath() -> None:
    script = """if True:
        import sys, varkernels.formats
        before = set(sys.modules)
        import varkernels.rounding
        new = {name.partition(".")[0] for name in set(sys.modules) - before}
        print(sorted(new & {"numba", "mpmath", "pandas", "matplotlib"}))
    """
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=root,
        env={"PYTHONPATH": f"{root}:{root / 'kernels'}", "PATH": ""},
    )
    assert done.stdout.strip() == "[]"
