"""The one rounding at the end of exact sums.

With n values, s1 = sum x and s2 = sum x^2 as exact integers (times powers of two) and the correction c, which
is taken as exactly the number that it is,

    mean = s1 / n,    variance = (n s2 - s1^2) / (n (n - c)),    std = sqrt(variance).

Each is a quotient of integers, or the root of one, and is rounded once, to nearest even, to the format of the
result. No step before that can overflow, underflow or cancel.
"""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import MutableSet, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from ..formats import Format
from ..rounding import round_to
from .sums import ExactSums

__all__ = [
    "DEGREES",
    "EMPTY",
    "NOTHING",
    "OPPOSITE",
    "OVERFLOW",
    "SUBTRACT",
    "correction_float",
    "correction_ratio",
    "mean_of",
    "nearest",
    "std_of",
    "variance_of",
    "whole_mean_of",
    "whole_std_of",
    "without_nan",
]

# numpy's own words for what it warns of.
DEGREES = "Degrees of freedom <= 0 for slice"
EMPTY = "Mean of empty slice"
OPPOSITE = "invalid value encountered in reduce"
SUBTRACT = "invalid value encountered in subtract"
OVERFLOW = "overflow encountered in reduce"

# The sums of no values.
NOTHING = ExactSums(0, 0, 0, 0, 0, 0, 0)

# Bits of an integer root: more than two beyond the widest format's, so that a last bit set where something was
# cut off leaves the rounding of the root right (Boldo, Melquiond 2008, doi:10.1109/TC.2007.70819).
_ROOT_BITS = 64
_NORMAL = 2.0**-1021


def correction_ratio(correction: object) -> tuple[int, int]:
    """A correction as numerator and positive denominator, exact.

    Raises
    ------
    TypeError
        It is no real number, or a bool.
    ValueError
        It is NaN or infinite.
    """
    if type(correction) is float and correction.is_integer():
        return int(correction), 1
    if isinstance(correction, (bool, np.bool_)):
        raise TypeError(f"correction={correction!r} is a bool: give a number, such as 0 or 1")
    if isinstance(correction, numbers.Rational):
        return int(correction.numerator), int(correction.denominator)
    ratio: Any = getattr(correction, "as_integer_ratio", None)
    if ratio is None and getattr(correction, "ndim", None) == 0:  # a 0-d array, bfloat16
        return correction_ratio(correction.item() if hasattr(correction, "item") else None)
    if ratio is None:
        raise TypeError(f"correction={correction!r} is not a real number: give one, such as 0 or 1")
    try:
        p, q = ratio()
    except (ValueError, OverflowError):
        raise ValueError(f"correction={correction!r}: give a finite number, such as 0 or 1") from None
    return int(p), int(q)


def correction_float(ratio: tuple[int, int]) -> float:
    """A correction as a float64, rounded; the largest one beyond their range."""
    try:
        return ratio[0] / ratio[1]
    except OverflowError:
        return sys.float_info.max if ratio[0] > 0 else -sys.float_info.max


def without_nan(sums: ExactSums) -> ExactSums:
    """The sums with the NaN values left out of the count too."""
    return replace(sums, count=sums.count - sums.nan, nan=0) if sums.nan else sums


def _double(p: int, q: int, exponent: int) -> float:
    """p / q 2^exponent, correctly rounded to float64: Python divides integers so."""
    try:
        quotient = p / q
        near = math.ldexp(quotient, exponent)
        if abs(quotient) >= _NORMAL and abs(near) >= _NORMAL:  # nothing was lost among subnormal numbers
            return near
    except OverflowError:
        pass
    try:
        return (p << exponent) / q if exponent >= 0 else p / (q << -exponent)
    except OverflowError:
        return -math.inf if p < 0 else math.inf


def nearest(p: int, q: int, exponent: int, fmt: Format) -> float:
    """A float64 that rounds to what p / q 2^exponent rounds to in a format, to nearest even.

    q is positive. Rounding twice errs only where the first rounding ends halfway between two numbers of the
    format; there, and at the ends of its range, the exact quotient decides.
    """
    if not p:
        return 0.0
    near = _double(p, q, exponent)
    if fmt.precision == 53:
        return near
    if math.ldexp(1.0, fmt.emin + 1) <= abs(near) < math.ldexp(1.0, fmt.emax):
        significand, _ = math.frexp(near)
        if math.ldexp(significand, fmt.precision + 1) % 2.0 != 1.0:
            return near
    return float(round_to(Fraction(p, q) * Fraction(2) ** exponent, fmt))


def mean_of(sums: ExactSums, fmt: Format, notes: MutableSet[str]) -> float:
    """The mean, for `fmt`; NaN without values. What there is to warn of joins the notes."""
    if not sums.count:
        notes.add(EMPTY)
        return math.nan
    if sums.nan or sums.posinf or sums.neginf:
        if not sums.nan and sums.posinf and sums.neginf:
            notes.add(OPPOSITE)
        if sums.nan or (sums.posinf and sums.neginf):
            return math.nan
        return math.inf if sums.posinf else -math.inf
    answer = nearest(sums.s1, sums.count, sums.exponent, fmt)
    if math.isinf(answer):
        notes.add(OVERFLOW)
    return answer


def _deviations(
    parts: Sequence[ExactSums], correction: tuple[int, int], notes: MutableSet[str]
) -> tuple[int, int, int] | float:
    """The variances of parts of one count together, p / q 4^exponent as p, q, exponent; or the NaN or zero that they
    are."""
    n = parts[0].count
    above, below = correction
    divisor = n * below - above
    if divisor <= 0 or not n:
        notes.add(DEGREES)
        return math.nan
    if any(part.nan for part in parts):
        return math.nan
    if any(part.posinf or part.neginf for part in parts):
        notes.add(OPPOSITE if any(part.posinf and part.neginf for part in parts) else SUBTRACT)
        return math.nan
    exponent = min(part.exponent for part in parts)
    p = sum((n * part.s2 - part.s1 * part.s1) << 2 * (part.exponent - exponent) for part in parts)
    return (p * below, n * divisor, exponent) if p else 0.0


def variance_of(
    sums: ExactSums, correction: tuple[int, int], fmt: Format, notes: MutableSet[str], *others: ExactSums
) -> float:
    """The variance, for `fmt`; NaN where count <= correction or a value is not finite.

    others : of the same count, whose variances are added before the one rounding, such as of imaginary parts.
    """
    ratio = _deviations((sums, *others), correction, notes)
    if isinstance(ratio, float):
        return ratio
    p, q, exponent = ratio
    answer = nearest(p, q, 2 * exponent, fmt)
    if answer == math.inf:
        notes.add(OVERFLOW)
    return answer


def std_of(
    sums: ExactSums, correction: tuple[int, int], fmt: Format, notes: MutableSet[str], *others: ExactSums
) -> float:
    """The square root of the exact variance, for `fmt`: rounded once, not by way of a rounded variance; others : as in
    `variance_of`."""
    ratio = _deviations((sums, *others), correction, notes)
    if isinstance(ratio, float):
        return ratio
    p, q, exponent = ratio
    shift = max(0, _ROOT_BITS - ((p.bit_length() - q.bit_length()) >> 1))
    square, rest = divmod(p << 2 * shift, q)
    root = math.isqrt(square)
    inexact = bool(rest) or root * root != square
    answer = nearest(2 * root + inexact, 1, exponent - shift - 1, fmt)
    if answer == math.inf:
        notes.add(OVERFLOW)
    return answer


def whole_mean_of(sums: ExactSums, notes: MutableSet[str]) -> int | None:
    """The mean of finite integers, rounded to the nearest integer, to even; None without values."""
    if not sums.count:
        notes.add(EMPTY)
        return None
    return round(Fraction(sums.s1, sums.count) * Fraction(2) ** sums.exponent)


def whole_std_of(sums: ExactSums, correction: tuple[int, int], notes: MutableSet[str]) -> int | None:
    """The standard deviation of finite integers, rounded as `whole_mean_of`; None where it is undefined."""
    ratio = _deviations((sums,), correction, notes)
    if isinstance(ratio, float):
        return None if math.isnan(ratio) else 0
    square = Fraction(ratio[0], ratio[1]) * Fraction(4) ** ratio[2]
    root = math.isqrt(int(square))
    middle = Fraction(2 * root + 1, 2) ** 2
    return root + (square > middle or (square == middle and root % 2 == 1))
