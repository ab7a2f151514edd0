"""The columns of the results table that say how good an algorithm is."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["METRICS", "Metric"]


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
