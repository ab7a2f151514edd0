"""Two results of the study side by side: what became worse, what better, and what only one of them has.

They are compared by `METRICS`: the columns of the results table that say how good an algorithm is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from . import results

__all__ = ["METRICS", "Change", "Comparison", "Metric", "compare"]


@dataclass(frozen=True)
class Metric:
    """A column that says how good an algorithm is.

    Attributes
    ----------
    name, title, unit : the column's name in the table; the same for people; the unit of its numbers.
    better : ``higher`` or ``lower``.
    """

    name: str
    title: str
    unit: str
    better: str

    @property
    def worst(self) -> float:
        """The worst value that there can be."""
        return math.inf if self.better == "lower" else -math.inf


_UNITS = {column.name: column.unit for column in results.COLUMNS}

METRICS: dict[str, Metric] = {
    name: Metric(name, title, _UNITS[name], "higher" if _UNITS[name] == "digits" else "lower")
    for name, title in (
        ("var_nan", "variances that are NaN"),
        ("var_inf", "infinite variances"),
        ("var_negative", "negative variances"),
        ("nonfinite_missed", "NaN or infinity in the data, not in the answer"),
        ("var_digits_worst", "correct digits of the variance, worst row"),
        ("var_digits_median", "correct digits of the variance, median row"),
        ("var_error_worst", "relative error of the variance, worst row"),
        ("var_error_median", "relative error of the variance, median row"),
        ("var_ulps_worst", "error of the variance, worst row"),
        ("var_ulps_median", "error of the variance, median row"),
        ("mean_digits_worst", "correct digits of the mean, worst row"),
        ("mean_error_worst", "relative error of the mean, worst row"),
        ("mean_ulps_worst", "error of the mean, worst row"),
        ("y_error_worst", "error of the normalised output, worst row"),
        ("y_error_median", "error of the normalised output, median row"),
        ("bound_used", "error as a share of its bound"),
    )
}


@dataclass(frozen=True)
class Change:
    """One metric of one measurement that differs.

    Attributes
    ----------
    key : the values of `results.KEY`.
    metric : name of the column.
    before, after : its two values; nan where it was not measured.
    worse : whether `after` is the worse one.
    size : how far apart they are, for sorting only: a difference of digits, or of decimal logarithms.
    """

    key: tuple[Any, ...]
    metric: str
    before: float
    after: float
    worse: bool
    size: float

    def record(self) -> dict[str, Any]:
        """The change as one flat mapping."""
        named = dict(zip(results.KEY, self.key, strict=True))
        return {
            **named,
            "metric": self.metric,
            "before": self.before,
            "after": self.after,
            "worse": self.worse,
        }


@dataclass(frozen=True)
class Comparison:
    """What differs between two results; the changes are sorted, the largest first.

    Attributes
    ----------
    regressions, improvements : changes for the worse and for the better.
    shared : number of measurements that both have.
    missing, added : keys of those that only the first, or only the second has.
    settings : what was asked for where the two differ: name, first, second.
    """

    regressions: list[Change]
    improvements: list[Change]
    shared: int
    missing: list[tuple[Any, ...]] = field(default_factory=list)
    added: list[tuple[Any, ...]] = field(default_factory=list)
    settings: list[tuple[str, Any, Any]] = field(default_factory=list)


def _distance(before: float, after: float, better: str) -> float:
    """How far a metric moved: infinite where one of the two is no number, or infinite, or an error of zero."""
    if not (math.isfinite(before) and math.isfinite(after)):
        return math.inf
    if better == "higher":
        return abs(after - before)
    if not before or not after:
        return math.inf
    return abs(math.log10(abs(after) / abs(before)))


def _change(
    key: tuple[Any, ...], metric: str, better: str, before: float, after: float, tolerance: float
) -> Change | None:
    if before == after or (math.isnan(before) and math.isnan(after)):
        return None
    if math.isnan(before) or math.isnan(after):
        worse = math.isnan(after)
    else:
        worse = (after > before) == (better == "lower")
        limit = tolerance * max(abs(before), abs(after))
        if math.isfinite(limit) and abs(after - before) <= limit:
            return None
    return Change(key, metric, before, after, worse, _distance(before, after, better))


def _table(found: results.Results) -> dict[tuple[Any, ...], tuple[float, ...]]:
    keys = zip(*(found.frame[name].tolist() for name in results.KEY), strict=True)
    values = zip(*(found.frame[name].astype("float64").tolist() for name in METRICS), strict=True)
    return dict(zip(keys, values, strict=True))


def compare(a: results.Results, b: results.Results, *, tolerance: float = 0.0) -> Comparison:
    """What changed from the results `a` to the results `b`, by every metric of `METRICS`.

    Only measurements that both have are compared; the others are listed. The same data and kernels give the
    same numbers, so that every difference is one, unless a tolerance is given.

    Parameters
    ----------
    a, b : the older and the newer results.
    tolerance : smaller relative changes are ignored: 0.01 ignores whatever moved by less than 1 %.

    Raises
    ------
    ValueError
        The tolerance is negative or not finite.
    """
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance={tolerance!r}: give 0 or a positive number, such as 0.01")
    before, after = _table(a), _table(b)
    shared = [key for key in before if key in after]
    changes = [
        change
        for key in shared
        for (name, metric), x, y in zip(METRICS.items(), before[key], after[key], strict=True)
        if (change := _change(key, name, metric.better, x, y, tolerance)) is not None
    ]
    changes.sort(key=lambda change: -change.size)
    names = sorted({*a.settings, *b.settings})
    return Comparison(
        regressions=[change for change in changes if change.worse],
        improvements=[change for change in changes if not change.worse],
        shared=len(shared),
        missing=[key for key in before if key not in after],
        added=[key for key in after if key not in before],
        settings=[(n, a.settings.get(n), b.settings.get(n)) for n in names if a.settings.get(n) != b.settings.get(n)],
    )
