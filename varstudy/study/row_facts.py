"""What the error bounds need to know of each row: its exact sums, scaled by a power of two."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formulas import Rows

from .ground_truth import Truth
from .score import quotient

__all__ = ["describe"]

Floats = NDArray[np.float64]


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
