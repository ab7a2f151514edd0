"""Exact values for scripts, from sums of integers; one rounding to float64 at the end."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import mpmath
import numpy as np
from numpy.typing import NDArray

from ..findings.properties import EpsilonPlace

__all__ = ["divisor", "moments", "rounded", "variance"]

DIGITS = 60


def moments(row: Iterable[float]) -> tuple[int, Fraction, Fraction]:
    """How many values a row has, their mean, and the sum of squared deviations from it."""
    ratios = [float(value).as_integer_ratio() for value in row]
    scale = math.lcm(*(below for _, below in ratios))
    whole = [above * (scale // below) for above, below in ratios]
    total, n = sum(whole), len(whole)
    squares = sum(each * each for each in whole)
    return n, Fraction(total, n * scale), Fraction(n * squares - total * total, n * scale * scale)


def variance(row: Iterable[float], correction: int) -> Fraction:
    """The exact variance of a row."""
    n, _, moment = moments(row)
    return moment / (n - correction)


def divisor(row: NDArray[np.floating], correction: int, epsilon: float, place: EpsilonPlace, about_zero: bool) -> float:
    """What a layer divides the deviations of a row by.

    Parameters
    ----------
    about_zero : whether it divides by the root of the mean square, as RMS norm does.
    """
    n, mean, moment = moments(row)
    spread = moment / n + mean * mean if about_zero else moment / (n - correction)
    with mpmath.workdps(DIGITS):
        return float(place.divisor(_mp(spread), mpmath.mpf(epsilon), mpmath.sqrt))


def rounded(value: Fraction) -> float:
    """A fraction in float64; infinite where it is too large."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _mp(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator
