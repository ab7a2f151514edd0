"""How far a computed mean or variance is from the exact one: relative error, ulps, correct digits, failures.

Errors are differences of exact rational numbers, rounded once, at the end. A mean is scored as well as a variance:
a stable formula round a bad mean is a trap of its own, and both reach the normalised output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varkernels.formats import Format
from varkernels.rounding import ulp

from .error_bounds import Bound, Rows, variance_bound
from .ground_truth import Truth

__all__ = [
    "EPSILON",
    "METRICS",
    "Exact",
    "Metric",
    "Rows",
    "describe",
    "digits",
    "normalised_error",
    "summary",
]

Floats = NDArray[np.float64]

# The epsilon under the root of y = (x - mean) / sqrt(variance + eps): the default of most frameworks' batch norm.
EPSILON = 1e-5


@dataclass(frozen=True)
class Metric:
    """A column that says how good an algorithm is.

    Attributes
    ----------
    name, title, unit : the column's name in the table; the same for people; the unit of its numbers.
    better : ``higher`` or ``lower``.
    worst : the worst value that there can be.
    """

    name: str
    title: str
    unit: str
    better: str
    worst: float


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("var_nan", "variances that are NaN", "rows", "lower", math.inf),
        Metric("var_inf", "infinite variances", "rows", "lower", math.inf),
        Metric("var_negative", "negative variances", "rows", "lower", math.inf),
        Metric("nonfinite_missed", "NaN or infinity in the data, not in the answer", "rows", "lower", math.inf),
        Metric("var_digits_worst", "correct digits of the variance, worst row", "digits", "higher", -math.inf),
        Metric("var_digits_median", "correct digits of the variance, median row", "digits", "higher", -math.inf),
        Metric("var_error_worst", "relative error of the variance, worst row", "relative", "lower", math.inf),
        Metric("var_error_median", "relative error of the variance, median row", "relative", "lower", math.inf),
        Metric("var_ulps_worst", "error of the variance, worst row", "ulp", "lower", math.inf),
        Metric("var_ulps_median", "error of the variance, median row", "ulp", "lower", math.inf),
        Metric("mean_digits_worst", "correct digits of the mean, worst row", "digits", "higher", -math.inf),
        Metric("mean_error_worst", "relative error of the mean, worst row", "relative", "lower", math.inf),
        Metric("mean_ulps_worst", "error of the mean, worst row", "ulp", "lower", math.inf),
        Metric("y_error_worst", "error of the normalised output, worst row", "y", "lower", math.inf),
        Metric("y_error_median", "error of the normalised output, median row", "y", "lower", math.inf),
        Metric("bound_used", "error as a share of its bound", "", "lower", math.inf),
    )
}


def digits(error: ArrayLike) -> Floats:
    """Correct decimal digits, -log10 |relative error|: +inf for an exact answer, -inf for a failed one.

    McCullough 1998, "Assessing the Reliability of Statistical Software: Part I", doi:10.1080/00031305.1998.10480589.

    Parameters
    ----------
    error : numbers of any shape, of either sign; an infinite error is a failure. The answer is float64 of this shape.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(0.0 - np.log10(np.abs(np.asarray(error, dtype=np.float64))))


def _quotient(p: int, q: int) -> float:
    """p / q, q > 0, correctly rounded; never 0 unless p is, infinite where it is beyond float64."""
    try:
        value = p / q
    except OverflowError:
        return math.inf if p > 0 else -math.inf
    return value if value or not p else math.copysign(5e-324, p)


class Exact:
    """The exact answers of some rows, against which computed ones are held.

    Attributes
    ----------
    values : the exact numbers, one a row; None where there is none (a NaN in the data, count <= correction).
    known : bool array (rows,): where there is one.
    rounded : float64 array (rows,): the numbers rounded to float64; NaN where there is none.
    """

    def __init__(self, values: Sequence[Fraction | None]) -> None:
        self.values = tuple(values)
        self.known: NDArray[np.bool_] = np.array([v is not None for v in self.values], dtype=np.bool_)
        self.rounded: Floats = np.array(
            [math.nan if v is None else _quotient(v.numerator, v.denominator) for v in self.values],
            np.float64,
        )
        self._ulps: dict[str, Floats] = {}

    @classmethod
    def mean(cls, truth: Truth) -> Exact:
        """The exact means of a `truth`'s rows; none where a value is not finite, or the row is empty."""
        return cls([truth.mean_fraction(r) if ok else None for r, ok in enumerate(truth.finite.tolist())])

    @classmethod
    def variance(cls, truth: Truth, correction: float = 0.0) -> Exact:
        """The exact variances M2 / (count - correction) of a `truth`'s rows.

        None where a value is not finite, or count <= correction.

        Parameters
        ----------
        truth : as `varstudy.study.ground_truth.truth` gives it.
        correction : a finite number, taken as exactly what it is.
        """
        return cls(
            [
                truth.variance_fraction(r, correction) if ok and n > correction else None
                for r, (ok, n) in enumerate(zip(truth.finite.tolist(), truth.count.tolist(), strict=True))
            ]
        )

    def errors(self, computed: ArrayLike) -> Floats:
        """(computed - exact) / |exact| of each row, exact but for one rounding.

        0 where both are zero, +-inf where only the exact one is, +inf where the computed one is NaN or infinite,
        NaN where there is no exact one.

        Parameters
        ----------
        computed : array (rows,) of any of the four formats.

        Raises
        ------
        ValueError
            There are more or fewer of them than rows.
        """
        out = np.empty(len(self.values))
        for r, (value, answer) in enumerate(zip(np.asarray(computed, np.float64).tolist(), self.values, strict=True)):
            if answer is None:
                out[r] = math.nan
            elif not math.isfinite(value):
                out[r] = math.inf
            else:
                p, q = value.as_integer_ratio()
                difference = p * answer.denominator - answer.numerator * q
                scale = abs(answer.numerator) * q
                out[r] = _quotient(difference, scale) if scale else math.copysign(math.inf, p) if p else 0.0
        return out

    def ulps(self, errors: Floats, fmt: Format) -> Floats:
        """Relative errors as multiples of the format's spacing at the exact number, never negative.

        0 where the error is, +inf where it is infinite (so where only the exact number is zero), NaN where there is no
        exact number.

        Parameters
        ----------
        errors : float64 array (rows,), as `errors` gives them.
        fmt : the format whose spacing it is.
        """
        if fmt.name not in self._ulps:
            factors = [0.0 if v is None else _per_ulp(v, fmt) for v in self.values]
            self._ulps[fmt.name] = np.array(factors, dtype=np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            found = np.abs(errors) * self._ulps[fmt.name]
        return np.where(errors == 0, 0.0, np.where(np.isinf(errors), np.inf, found))


def _per_ulp(value: Fraction, fmt: Format) -> float:
    ratio = abs(value) / ulp(value, fmt)
    return _quotient(ratio.numerator, ratio.denominator)


# The rows' facts ------------------------------------------------------------------------------------------------------


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
    return _quotient(p << exponent, q) if exponent >= 0 else _quotient(p, q << -exponent)


def _offset(x: float, mean: Fraction, k: int) -> float:
    if not math.isfinite(x):
        return math.inf
    off = abs(Fraction(x) - mean) / Fraction(2) ** k
    return _quotient(off.numerator, off.denominator)


def normalised_error(
    mean: Floats, variance: Floats, exact_mean: Exact, exact: Exact, low: Floats, high: Floats
) -> Floats:
    """The largest error over a row's values of y = (x - mean) / sqrt(variance + EPSILON), by the errors of mean
    and variance alone: y is evaluated without further rounding.

    The error is an affine function of x, so that it is largest at the row's smallest or largest value. Infinite
    where the answer is not finite, or variance + EPSILON is not positive; NaN where there is no exact variance.

    Parameters
    ----------
    mean, variance : the computed answers, float64 arrays (rows,).
    exact_mean, exact : the exact means and variances.
    low, high : the smallest and the largest value of each row.
    """
    errors = exact_mean.errors(mean), exact.errors(variance)
    return _normalised(mean, variance, exact_mean, exact, errors, low, high)


def _normalised(
    mean: Floats,
    variance: Floats,
    exact_mean: Exact,
    exact: Exact,
    errors: tuple[Floats, Floats],
    low: Floats,
    high: Floats,
) -> Floats:
    """`normalised_error`, told the relative errors of mean and variance."""
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


# A row of the table ---------------------------------------------------------------------------------------------------


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
) -> dict[str, Any]:
    """The columns of the results table that say how good these answers are, over the rows with an exact variance.

    Parameters
    ----------
    mean, variance : float64 arrays (rows,): the computed answers.
    exact_mean, exact : the exact ones, of the same correction.
    correction : the variance is M2 / (count - correction).
    storage : the format whose ulps are counted. accumulator : the one that the answers were computed in.
    low, high : each row's smallest and largest value.
    rows, bound : what the rows are like, and the bounds of mean and M2, as `theory.bounds` gives them.
    """
    known = exact.known
    var_errors, mean_errors = exact.errors(variance), exact_mean.errors(mean)
    y = _normalised(mean, variance, exact_mean, exact, (mean_errors, var_errors), low, high)[known]
    var_bound, var_used = _against(
        variance,
        var_errors,
        variance_bound(bound.m2, rows, correction, accumulator),
        rows.s / (rows.n - correction) if rows.n > correction else rows.s,
        -2 * rows.k,
    )
    mean_bound, mean_used = _against(mean, mean_errors, bound.mean, rows.mean, -rows.k)
    error, mean_error = np.abs(var_errors[known]), np.abs(mean_errors[known])
    ulps, mean_ulps = exact.ulps(var_errors, storage)[known], exact_mean.ulps(mean_errors, storage)[known]
    scored = np.flatnonzero(known)
    worst_row = int(scored[np.argmax(error)]) if len(scored) else -1
    return {
        "rows_scored": len(scored),
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
        "var_bound": _worst(var_bound[known]),
        "mean_bound": _worst(mean_bound[known]),
        "bound_used": _worst(np.maximum(var_used, mean_used)[known]),
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
    return float(np.median(values)) if len(values) else math.nan


def _mean(values: Floats) -> float:
    finite = values[np.isfinite(values)].tolist()
    # fsum is exact: the same bits on every machine
    return math.fsum(finite) / len(finite) if finite else math.nan
