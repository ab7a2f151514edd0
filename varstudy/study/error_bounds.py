"""Worst-case errors of an algorithm on given rows: of mean and M2, of the variance, and by condition number.

Each formula has its bound, and the bound its derivation, in the formula's file in `varkernels.formulas`; what the
bounds share is in `varkernels.formulas.bounding`. Where something may overflow, or a premise fails, a bound is
infinite: no guarantee.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from varkernels.formulas.bounding import SLACK, Bound, Floats, Rows, evaluate

if TYPE_CHECKING:
    from varkernels import Algorithm, Format

__all__ = ["bounds", "relative_bound", "variance_bound"]


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
