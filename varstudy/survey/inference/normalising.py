"""Correction, epsilon and its place, from what normalised a few groups of known variance.

Each group's outputs lie on a line y = (x - m) / d. Every hypothesis (correction, place) turns a group's d into an
interval for epsilon; it holds if one epsilon serves all groups. Outputs follow running statistics, or the batch's own,
if these explain each group's line with one epsilon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..findings.properties import EpsilonPlace, RunningSpread
from .finding import UNIT, Interval
from .reading import Statistics, Table

__all__ = [
    "FLOORS",
    "PLACES",
    "SLACK",
    "SPREADS",
    "Line",
    "Rule",
    "as_batch",
    "as_running",
    "implied",
    "line",
    "moments_of",
    "rules",
]

PLACES = tuple(place for place in EpsilonPlace if place != EpsilonPlace.NONE)
FLOORS = (EpsilonPlace.VARIANCE_FLOOR, EpsilonPlace.DEVIATION_FLOOR)
SPREADS = (RunningSpread.VARIANCE, RunningSpread.DEVIATION, RunningSpread.INVERSE)

# A float32 layer rounds the variance, the root, the quotient, the difference and the product: a handful of units each.
SLACK = 16 * UNIT


def moments_of(table: Table, centred: bool) -> list[float]:
    """Each group's sum of squares, about its mean or about 0; exact for the small tables."""
    about = table.mean(axis=1, keepdims=True) if centred else 0.0
    return [float(m) for m in ((table - about) ** 2).sum(axis=1)]


@dataclass(frozen=True)
class Line:
    """y = (x - m) / d, fitted to one group: d with the relative error that float32 outputs leave it, and m."""

    deviation: float
    error: float
    mean: float
    mean_error: float


def line(x: Table, y: Table, *, centred: bool = True, slack: float = SLACK) -> Line | None:
    """The line through a group's outputs; None if they lie on none, within `slack` of the largest.

    `centred` is False for a root mean square, whose line goes through the origin.
    """
    if not (np.isfinite(y).all() and np.ptp(x) > 0):
        return None
    middle, level = (x.mean(), y.mean()) if centred else (0.0, 0.0)
    spread = float(((x - middle) ** 2).sum())
    slope = float(((x - middle) * (y - level)).sum()) / spread
    if slope <= 0:
        return None
    largest = float(np.abs(y).max())
    if np.abs(y - level - slope * (x - middle)).max() > slack * largest:
        return None
    # a variance may be rounded relative to the sum of squares about 0, and the slope by as much as the outputs
    condition = 1 + middle**2 * x.size / spread
    reach = max(1.0, largest / slope * float(np.sqrt(x.size / spread)))
    error = slack * max(condition, reach)
    away = abs(level) / slope  # from the middle of the values to where the outputs are 0
    return Line(1 / slope, error, middle - level / slope, slack * condition * largest / slope + error * away)


@dataclass(frozen=True)
class Rule:
    """A hypothesis that holds: d = root(v + eps), or what else `place` says, v with the divisor n - correction."""

    correction: float
    place: EpsilonPlace
    epsilon: Interval

    @property
    def size(self) -> float:
        """Of epsilon; 0 where it may be none."""
        return max(self.epsilon.middle, 0.0) if self.epsilon.low > 0 else 0.0

    def deviation(self, moment: float, count: int) -> float:
        """What normalises a group of `count` values with that sum of squares."""
        return float(self.place.divisor(moment / (count - self.correction), self.size))


def implied(v: float, found: Line, place: EpsilonPlace) -> Interval:
    """The epsilons that turn a variance into the deviation of a line."""
    d, e = found.deviation, found.error
    if place == EpsilonPlace.INSIDE:
        return Interval(d * d * (1 - 2 * e) - v, d * d * (1 + 2 * e) - v)
    s = float(np.sqrt(v))
    if place == EpsilonPlace.ADDED:
        return Interval(d * (1 - e) - s, d * (1 + e) - s)
    power = 2 if place == EpsilonPlace.VARIANCE_FLOOR else 1
    if d * (1 + e) < s:
        return Interval(1.0, 0.0)
    if d * (1 - e) <= s:
        return Interval(0.0, (d * (1 + e)) ** power)
    return Interval((d * (1 - e)) ** power, (d * (1 + e)) ** power)


def rules(
    moments: Sequence[float], count: int, lines: Sequence[Line | None], corrections: Sequence[float] | None = None
) -> list[Rule]:
    """Every rule that holds for groups of `count` values.

    Parameters
    ----------
    moments : each group's sum of squared deviations. lines : what normalised it; None for a group without a line.
    corrections : those to try; by default 0 and 1. Another is told by no groups of one size: whatever a spread is
        in units of their deviation, some n - c gives it.
    """
    usable = [(m, found) for m, found in zip(moments, lines, strict=True) if found is not None and m > 0]
    if not usable:
        return []
    tried = (0, 1) if corrections is None else corrections
    return [rule for c in tried if c < count for rule in _holding(usable, count, c)]


def _holding(usable: list[tuple[float, Line]], count: int, correction: float) -> list[Rule]:
    holding = []
    for place in PLACES:
        epsilon = Interval(0.0, np.inf)
        for moment, found in usable:
            epsilon = epsilon & implied(moment / (count - correction), found, place)
        if not epsilon.empty:
            holding.append(Rule(correction, place, epsilon))
    return holding


def as_running(
    table: Table, y: Table, statistics: Statistics | None, keeps: str | None, place: EpsilonPlace | None = None
) -> list[tuple[Interval, EpsilonPlace]]:
    """The epsilons that make running statistics explain the outputs, and their places, `place` first; [] if none does.

    Parameters
    ----------
    keeps : what the kept "var" is: variance (the default), deviation, inverse deviation.
    """
    if statistics is None or statistics["mean"].size != len(table):
        return []
    scale = float(statistics["scale"][0]) if "scale" in statistics and statistics["scale"].size == 1 else 1.0
    scale = scale or 1.0  # of sums to which nothing was added yet
    means, spreads = statistics["mean"] / scale, statistics["var"] / scale
    if not np.isfinite(means).all():
        return []
    powers = {RunningSpread.VARIANCE: 1.0, RunningSpread.DEVIATION: 2.0, RunningSpread.INVERSE: -2.0}
    power = powers[RunningSpread(keeps or RunningSpread.VARIANCE)]
    with np.errstate(divide="ignore", invalid="ignore"):
        variances = spreads**power
    lines = []
    for row, out, mean, v in zip(table, y, means, variances, strict=True):
        if np.ptp(row) <= 1e-3 * abs(row.mean() - mean) or not np.isfinite(v) or v < 0:
            continue  # nothing is left of the values beside their distance from the mean
        found = line(row, out, centred=True, slack=_slack(row, mean))
        # a scale and a shift that are worked out beforehand round at the size of the mean
        reach = 16 * UNIT * (np.abs(row).max() + abs(mean))
        if found is None or abs(found.mean - mean) > max(found.mean_error, reach):
            return []
        lines.append((float(v), found))
    holding = []
    for at in dict.fromkeys((place or EpsilonPlace.INSIDE, *PLACES)):
        epsilon = Interval(0.0, np.inf)
        for v, found in lines:
            epsilon = epsilon & implied(v, found, at)
        if lines and not epsilon.empty:
            holding.append((epsilon, at))
    return holding


def as_batch(table: Table, y: Table, centred: bool, rule: Rule | None) -> bool:
    """Whether the outputs are normalised by the batch's own statistics, by a rule if one is known."""
    lines = [line(row, out, centred=centred) for row, out in zip(table, y, strict=True)]
    moments = moments_of(table, centred)
    for row, found, moment in zip(table, lines, moments, strict=True):
        about = row.mean() if centred else 0.0
        if moment > 0 and (found is None or abs(found.mean - about) > found.mean_error + 1e-30):
            return False
    if rule is None:
        return bool(rules(moments, table.shape[1], lines))
    return all(
        found is None
        or not (implied(moment / (table.shape[1] - rule.correction), found, rule.place) & rule.epsilon).empty
        for found, moment in zip(lines, moments, strict=True)
    )


def _slack(row: Table, mean: float) -> float:
    """float32's roundings relative to the largest output, when x and the mean may cancel."""
    return float(16 * UNIT * (1 + (np.abs(row).max() + abs(mean)) / max(np.abs(row - mean).max(), 1e-30)))
