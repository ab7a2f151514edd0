"""The columns of the results table that say how good the answers for a map's rows are.

A mean is scored as well as a variance: a stable formula round a bad mean is a trap of its own, and both reach the
normalised output.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import Format
from varkernels.formulas import Bound, Rows

from .error_bounds import variance_bound
from .score import Exact, digits, judge

__all__ = ["EPSILON", "Answered", "normalised_error", "summary"]

Floats = NDArray[np.float64]
# Columns, by the accumulator and a hash of the answers.
Answered = dict[tuple[str, bytes], dict[str, Any]]

# The epsilon under the root of y = (x - mean) / sqrt(variance + eps): the default of most frameworks' batch norm.
EPSILON = 1e-5


def normalised_error(
    mean: Floats,
    variance: Floats,
    exact_mean: Exact,
    exact: Exact,
    errors: tuple[Floats, Floats],
    low: Floats,
    high: Floats,
) -> Floats:
    """The largest error over a row's values of y = (x - mean) / sqrt(variance + EPSILON), by the errors of mean
    and variance alone: y is evaluated without further rounding.

    The error is an affine function of x, so that it is largest at the row's smallest or largest value. Infinite
    where the answer is not finite, or variance + EPSILON is not positive; NaN where there is no exact variance.

    Parameters
    ----------
    mean, variance : the computed answers, float64 arrays (rows,).
    exact_mean, exact : the exact means and variances.
    errors : the relative errors of the means and of the variances, as `Exact.errors` gives them.
    low, high : the smallest and the largest value of each row.
    """
    m, v = exact_mean.rounded, exact.rounded
    with np.errstate(all="ignore"):
        off = np.where(m == 0, mean, errors[0] * np.abs(m))
        root = 1 / np.sqrt(v + EPSILON)
        # variance + eps = (v + eps) (1 + share)
        share = np.where(v == 0, variance / EPSILON, errors[1] * (v / (v + EPSILON)))
        change = np.expm1(-0.5 * np.log1p(share))
        worst = np.zeros_like(root)
        for x in (low, high):
            worst = np.maximum(worst, np.abs((x - mean) * root * change - off * root))
        failed = ~np.isfinite(mean) | ~np.isfinite(variance) | (variance + EPSILON <= 0) | np.isnan(worst)
    return np.where(exact.known, np.where(failed, np.inf, worst), np.nan)


def summary(
    *,
    mean: Floats,
    variance: Floats,
    exact_mean: Exact,
    exact: Exact,
    storage: Format,
    accumulator: Format,
    correction: float,
    low: Floats,
    high: Floats,
    rows: Rows,
    bound: Bound,
    answered: Answered | None = None,
) -> dict[str, Any]:
    """The columns of the results table that say how good these answers are, over the rows with an exact variance.

    Parameters
    ----------
    mean, variance : float64 arrays (rows,): the computed answers.
    exact_mean, exact : the exact ones, of the same correction.
    correction : the variance is M2 / (count - correction).
    storage : the format whose ulps are counted. accumulator : the one that the answers were computed in.
    low, high : each row's smallest and largest value.
    rows, bound : what the rows are like, and the bounds of mean and M2, as `error_bounds.bounds` gives them.
    answered : keeps what follows from the answers alone, for other algorithms with the same rows and exact answers:
        they often agree in every bit.
    """
    known = exact.known
    var_errors, mean_errors = exact.errors(variance), exact_mean.errors(mean)
    var_bound, var_used = _against(
        variance,
        var_errors,
        variance_bound(bound.m2, rows, correction, accumulator),
        rows.s / (rows.n - correction) if rows.n > correction else rows.s,
        -2 * rows.k,
    )
    mean_bound, mean_used = _against(mean, mean_errors, bound.mean, rows.mean, -rows.k)
    key = accumulator.name, blake2b(mean.tobytes() + variance.tobytes()).digest()
    answers = None if answered is None else answered.get(key)
    if answers is None:
        y = normalised_error(mean, variance, exact_mean, exact, (mean_errors, var_errors), low, high)
        answers = _answers(variance, exact_mean, exact, storage, accumulator, mean_errors, var_errors, y)
        if answered is not None:
            answered[key] = answers
    return {
        **answers,
        "var_bound": _worst(var_bound[known]),
        "mean_bound": _worst(mean_bound[known]),
        "bound_used": _worst(np.maximum(var_used, mean_used)[known]),
    }


def _answers(
    variance: Floats,
    exact_mean: Exact,
    exact: Exact,
    storage: Format,
    accumulator: Format,
    mean_errors: Floats,
    var_errors: Floats,
    y_errors: Floats,
) -> dict[str, Any]:
    """The columns that follow from the answers, without their bounds."""
    known = exact.known
    y = y_errors[known]
    error, mean_error = np.abs(var_errors[known]), np.abs(mean_errors[known])
    ulps, mean_ulps = exact.ulps(var_errors, storage)[known], exact_mean.ulps(mean_errors, storage)[known]
    tally = judge(exact, variance, storage, accumulator, var_errors).tally
    scored = np.flatnonzero(known)
    worst_row = int(scored[np.argmax(error)]) if len(scored) else -1
    return {
        "rows_scored": len(scored),
        "rows_right": tally.right,
        "rows_inaccurate": tally.inaccurate,
        "rows_wrong": tally.wrong,
        "rows_out_of_range": tally.out_of_range,
        "rows_squares_overflow": exact.squares_overflow(accumulator),
        "nonfinite_missed": tally.missed,
        "var_error_worst": _worst(error),
        "var_error_median": _median(error),
        "var_ulps_worst": _worst(ulps),
        "var_ulps_median": _median(ulps),
        "var_digits_worst": float(digits(_worst(error))),
        "var_digits_median": float(digits(_median(error))),
        "var_bias": _mean(var_errors[known]),
        "var_negative": int(np.count_nonzero(variance[known] < 0)),
        "var_nan": int(np.count_nonzero(np.isnan(variance[known]))),
        "var_inf": int(np.count_nonzero(np.isinf(variance[known]))),
        "mean_error_worst": _worst(mean_error),
        "mean_error_median": _median(mean_error),
        "mean_ulps_worst": _worst(mean_ulps),
        "mean_digits_worst": float(digits(_worst(mean_error))),
        "mean_bias": _mean(mean_errors[known]),
        "y_error_worst": _worst(y),
        "y_error_median": _median(y),
        "worst_row": worst_row,
        "computed": float(variance[worst_row]) if len(scored) else math.nan,
        "exact": float(exact.rounded[worst_row]) if len(scored) else math.nan,
    }


def _against(
    computed: Floats, errors: Floats, bound: Floats, size: Floats, exponent: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """The relative bound of each row, and the share of it that the error takes.

    bound, size : of the error and of the exact answer, scaled by 2^exponent. Where the exact answer is zero, the
    error is the computed one itself. 0 is all that an infinite bound says of the share.
    """
    with np.errstate(all="ignore"):
        relative = np.where(bound == 0, 0.0, np.where(np.isnan(bound), np.nan, bound / size))
        error = np.where(size == 0, np.ldexp(np.abs(computed), exponent), np.abs(errors) * size)
        share = np.where(error == 0, 0.0, np.where(np.isinf(bound), 0.0, error / bound))
    return relative, np.where(np.isnan(bound), np.nan, share)


# The largest of nothing is NaN, and so is the largest where one is not known.
def _worst(values: Floats) -> float:
    return float(values.max()) if len(values) else math.nan


def _median(values: Floats) -> float:
    """As `numpy.median`, which takes ten times as long for a few values."""
    ordered = np.sort(values)  # NaN last
    if not len(ordered) or np.isnan(ordered[-1]):
        return math.nan
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float(low if len(ordered) % 2 else (low + high) / 2)


def _mean(values: Floats) -> float:
    finite = values[np.isfinite(values)].tolist()
    # fsum is exact: the same bits on every machine
    return math.fsum(finite) / len(finite) if finite else math.nan
