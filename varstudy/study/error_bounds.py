"""Worst-case errors of an algorithm on given rows: of mean and M2, of the variance, and by condition number.

`describe` gives what they need to know of each row: its exact sums, scaled by a power of two.

Each formula has its bound, and the bound its derivation, in the formula's file in `varkernels.formulas`; what the
bounds share is in `varkernels.formulas.bounding`. Where something may overflow, or a premise fails, a bound is
infinite: no guarantee.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varkernels.formulas.bounding import SLACK, Bound, Floats, Rows, evaluate

from .ground_truth import Truth
from .score import quotient

if TYPE_CHECKING:
    from varkernels import Algorithm, Format

__all__ = ["bounds", "describe", "relative_bound", "variance_bound"]


def describe(truth: Truth, view: NDArray[Any], centre: Floats | None = None) -> Rows:
    """What the bounds need to know of a view's rows, each scaled by the power of two that brings it below 1.

    Rows without a finite truth get NaN.

    Parameters
    ----------
    truth : the rows' truth.
    view : array (segments, rows, length) or (blocks, segments, rows, length) of the same values, in float32 or
        float64 (or a format of its own).
    centre : the centre given to the formula ``shifted``: array (rows,) of float64, or None.
    """
    array = view if view.ndim == 4 else view[np.newaxis]
    with np.errstate(all="ignore"):
        low = array.min(axis=(1, 3)).reshape(-1).astype(np.float64)
        high = array.max(axis=(1, 3)).reshape(-1).astype(np.float64)
        first = array[:, 0, :, 0].reshape(-1).astype(np.float64)
        largest = np.maximum(np.abs(low), np.abs(high))
        exponents = np.frexp(np.where(truth.finite, largest, 0.0))[1].astype(np.int64)
        spread = np.ldexp(high, -exponents) - np.ldexp(low, -exponents)
    table = np.full((6, len(truth)), np.nan)
    for r in np.flatnonzero(truth.finite).tolist():
        row, k = truth.sums[r], int(exponents[r])
        n, e = row.count, row.exponent - k
        m2 = n * row.s2 - row.s1 * row.s1
        table[0, r] = _scaled(abs(row.s1), n, e)
        table[1, r] = _scaled(m2, n, 2 * e)
        table[2, r] = _scaled(row.s2, 1, 2 * e)
        mean = truth.mean_fraction(r)
        table[4, r] = _offset(first[r], mean, k)
        if centre is not None:
            table[5, r] = _offset(centre[r], mean, k)
    table[3] = np.where(truth.finite, spread, np.nan)
    return Rows(int(truth.count[0]) if len(truth) else 1, exponents, *table)


def _scaled(p: int, q: int, exponent: int) -> float:
    return quotient(p << exponent, q) if exponent >= 0 else quotient(p, q << -exponent)


def _offset(x: float, mean: Fraction, k: int) -> float:
    if not math.isfinite(x):
        return math.inf
    off = abs(Fraction(x) - mean) / Fraction(2) ** k
    return quotient(off.numerator, off.denominator)


def bounds(algorithm: Algorithm, fmt: Format, rows: Rows) -> Bound:
    """Rigorous bounds of the errors of mean and M2, in the rows' scaled units.

    Infinite where there is no guarantee (something may overflow, or the premises of the analysis fail), NaN for an
    algorithm without a bound.

    Parameters
    ----------
    algorithm : the formula and its order.
    fmt : the accumulator, in which every operation is rounded.
    rows : what the data are like; exact, or rounded up by less than 1e-10.
    """
    return evaluate(algorithm.bound, fmt, rows, *algorithm.geometry(rows.n))


def variance_bound(m2: Floats, rows: Rows, correction: float, fmt: Format) -> Floats:
    """Bound of |computed - exact| of M2 / (n - correction), in the rows' scaled units squared.

    The division is done in float64 and rounded to the format: three more roundings of float64 and one of the
    format (two where a bfloat16 is reached by way of float32). NaN where n <= correction.

    Parameters
    ----------
    m2 : the bound of M2, float64 array (rows,), in the scaled units squared.
    rows : the same rows.
    correction : subtracted from n.
    fmt : the format of the answers.
    """
    u = float(fmt.unit_roundoff)
    rounding = u + 2.0**-24 * (u > 2.0**-24) + 4 * 2.0**-53
    with np.errstate(all="ignore"):
        divisor = rows.n - correction if rows.n > correction else np.nan
        tiny = np.ldexp(float(fmt.smallest_subnormal), -2 * rows.k)
        bound = (m2 + rounding * (rows.s + m2)) / divisor * SLACK + tiny
        fits = (rows.s + m2) / divisor * (1 + rounding) <= np.ldexp(float(fmt.largest), -2 * rows.k)
        return np.where(fits | np.isnan(bound), bound, np.inf)


def relative_bound(algorithm: Algorithm, fmt: Format, n: int, kappa: ArrayLike) -> Floats:
    """The bound of |computed - exact| / exact of the variance of n values with condition number kappa.

    As `bounds` has it, without overflow and underflow; for a shift by the first value, the farthest that a value
    of such a row can lie. For theory lines.

    Parameters
    ----------
    algorithm, fmt, n : as for `bounds`. kappa : numbers >= 1.
    """
    k = np.atleast_1d(np.asarray(kappa, dtype=np.float64))
    # Scaled to S = 1, and far from the ends of every format's range.
    one = np.ones_like(k)
    far = np.full_like(k, np.sqrt((n - 1) / n))
    rows = Rows(n, np.zeros(k.shape, np.int64), np.sqrt((k**2 - 1) / n), one, k**2, 2 * one, far, np.nan * one)
    if n > fmt.largest:
        return np.full_like(k, np.inf)  # the count itself is no number of the format
    endless = replace(fmt, emin=-1000, emax=1022)
    found = bounds(algorithm, endless, rows)
    return variance_bound(found.m2, rows, 0.0, endless) * n
