"""Correction, epsilon and its place, from what normalised a few groups of known variance.

Each group's outputs lie on a line y = (x - m) / d. Every hypothesis (correction, place) turns a group's d into an
interval for epsilon; it holds if one epsilon serves all groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..findings.property_values import EpsilonPlace
from .finding import UNIT, Interval
from .reading import Table

__all__ = [
    "FLOORS",
    "PLACES",
    "SLACK",
    "Line",
    "Rule",
    "line",
    "moments_of",
    "rules",
]

PLACES = tuple(place for place in EpsilonPlace if place != EpsilonPlace.NONE)
FLOORS = (EpsilonPlace.VARIANCE_FLOOR, EpsilonPlace.DEVIATION_FLOOR)

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
    place: str
    epsilon: Interval

    def deviation(self, moment: float, count: int) -> float:
        """What normalises a group of `count` values with that sum of squares."""
        v = moment / (count - self.correction)
        eps = max(self.epsilon.middle, 0.0) if self.epsilon.low > 0 else 0.0
        return applied(v, eps, self.place)


def applied(v: float, eps: float, place: str) -> float:
    """The deviation that divides: epsilon applied to a variance."""
    if place == EpsilonPlace.INSIDE:
        return float(np.sqrt(v + eps))
    if place == EpsilonPlace.ADDED:
        return float(np.sqrt(v) + eps)
    return float(max(np.sqrt(v), np.sqrt(eps) if place == EpsilonPlace.VARIANCE_FLOOR else eps))


def implied(v: float, found: Line, place: str) -> Interval:
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
