"""What changed between two results, counted by measurement and put into words: for the page and for the terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from . import results
from .comparison import METRICS, Change, Comparison

__all__ = ["Side", "Summary", "Wording", "failing", "named", "place", "rank", "summary", "title"]

# What an exact answer counts as where lost digits are ordered: more than float64 has.
EXACT = 17.0
_PLACES = {name: at for at, name in enumerate(METRICS)}


def named(key: Sequence[object], name: str) -> str:
    """One field of a measurement's key.

    Parameters
    ----------
    key : values of `results.KEY`.
    name : one of its names, such as ``algorithm``.
    """
    return str(key[results.KEY.index(name)])


def title(name: str) -> str:
    """A metric as a phrase with its unit, where the phrase does not say it."""
    metric = METRICS[name]
    return metric.title + (" (ulp)" if metric.unit == "ulp" else "")


def place(change: Change) -> int:
    """Which of a measurement's changes tells most: failures, digits, errors, in the order of `comparison.METRICS`."""
    return _PLACES[change.metric]


def failing(change: Change) -> bool:
    """Whether a change is one between an answer and none: NaN, infinite, negative, or not measured."""
    metric, worse = METRICS[change.metric], change.after if change.worse else change.before
    return metric.unit == "rows" or math.isnan(worse) or worse == metric.worst


def rank(change: Change) -> tuple[int, float]:
    """The order of the lines: failures, then lost or gained digits, then the rest, the farthest first."""
    if failing(change):
        return 0, place(change)
    if METRICS[change.metric].unit == "digits":
        x, y = (min(value, EXACT) for value in (change.before, change.after))
        return 1, -abs(y - x)
    return 2, -change.size


# Counts --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Side:
    """The measurements that became worse, or those that became better.

    Attributes
    ----------
    worse : which of the two.
    measurements : the changes of each measurement, the one that tells most first; failures come first.
    """

    worse: bool
    measurements: tuple[tuple[Change, ...], ...]

    @cached_property
    def leading(self) -> tuple[Change, ...]:
        """The change of each measurement that tells most."""
        return tuple(mine[0] for mine in self.measurements)

    @property
    def metrics(self) -> int:
        """How many metrics changed, over all measurements."""
        return sum(map(len, self.measurements))

    @property
    def failed(self) -> int:
        """Measurements that fail in one of the results and not in the other."""
        return sum(map(failing, self.leading))

    @property
    def first_failed(self) -> Change | None:
        """The first of these."""
        return next(filter(failing, self.leading), None)

    @property
    def farthest(self) -> Change | None:
        """Of the others the one that moved farthest."""
        return next((change for change in self.leading if not failing(change)), None)

    @cached_property
    def algorithms(self) -> Counter[str]:
        """How many measurements of each algorithm changed, in the order of `leading`."""
        return Counter(named(change.key, "algorithm") for change in self.leading)

    @property
    def cases(self) -> int:
        """On how many feature maps."""
        return len({named(change.key, "case") for change in self.leading})


@dataclass(frozen=True)
class Summary:
    """A comparison, counted by measurement.

    Attributes
    ----------
    regressions, improvements : the measurements that became worse, and better.
    shared : measurements that both results have. unchanged : those of them in which no metric changed.
    twice : those that became worse in one metric and better in another.
    verdict : the answer, a phrase.
    """

    regressions: Side
    improvements: Side
    shared: int
    unchanged: int
    twice: int
    verdict: str


def summary(found: Comparison) -> Summary:
    """Count a comparison by measurement: one with five worse metrics became worse once."""
    worse, better = _side(found.regressions, worse=True), _side(found.improvements, worse=False)
    keys = [{change.key for change in side.leading} for side in (worse, better)]
    return Summary(
        regressions=worse,
        improvements=better,
        shared=found.shared,
        unchanged=found.shared - len(keys[0] | keys[1]),
        twice=len(keys[0] & keys[1]),
        verdict=_verdict(found, len(worse.measurements), len(better.measurements)),
    )


def _side(changes: Sequence[Change], *, worse: bool) -> Side:
    by_key: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        by_key.setdefault(change.key, []).append(change)
    groups = sorted((tuple(sorted(mine, key=place)) for mine in by_key.values()), key=lambda mine: rank(mine[0]))
    return Side(worse, tuple(groups))


def _verdict(found: Comparison, worse: int, better: int) -> str:
    if not found.shared:
        return "Nothing to compare: the runs have no measurement in common"
    if worse:
        return f"{worse:,} of {found.shared:,} measurements became worse"
    if better:
        return f"Nothing became worse; {better:,} of {found.shared:,} measurements became better"
    if found.missing or found.added:
        return "Nothing changed where both runs measured"
    return "Nothing changed"


# Words ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wording:
    """Changes in words.

    Attributes
    ----------
    number : writes a number with so many figures. minus : the sign of negative digits.
    """

    number: Callable[[float, int], str]
    minus: str = "-"

    def figure(self, name: str, value: float, figures: int = 3) -> str:
        """A metric's value: digits to as many decimals as three figures of an ordinary one have."""
        if math.isnan(value):
            return "not measured"
        if METRICS[name].unit != "digits":
            return self.number(value, figures)
        if math.isinf(value):
            return "exact" if value > 0 else "fails"
        return f"{value:.{figures - 1}f}".replace("-", self.minus)

    def both(self, change: Change) -> tuple[str, str]:
        """The two values, with as many figures as it takes to tell them apart."""
        for figures in range(3, 27):
            texts = (
                self.figure(change.metric, change.before, figures),
                self.figure(change.metric, change.after, figures),
            )
            if texts[0] != texts[1]:
                break
        return texts

    def moved(self, change: Change) -> str:
        """How far it moved, and which way."""
        x, y, metric = change.before, change.after, METRICS[change.metric]
        if math.isnan(x) or math.isnan(y):
            return "no longer measured" if math.isnan(y) else "measured now"
        if metric.unit == "digits":
            return self._digits(x, y)
        if metric.unit == "rows":
            far = abs(y - x)
            return f"{self.number(far, 6)} {'row' if far == 1 else 'rows'} {'more' if y > x else 'fewer'}"
        if math.isinf(x) or math.isinf(y):
            return "infinite now" if math.isinf(y) else "no longer infinite"
        if not x or not y:
            return "zero now" if not y else "no longer zero"
        if abs(y - x) < 0.01 * abs(x):
            return f"{self.number(100 * abs(y - x) / abs(x), 2)} % {'larger' if y > x else 'smaller'}"
        return f"{self.number(y / x, 3)} times as large"

    def median_moved(self, x: float, y: float) -> str:
        """The same of an algorithm's median digits; nothing where one of the two is missing."""
        if math.isnan(x) or math.isnan(y):
            return "–"
        return "=" if x == y else self._digits(x, y)

    def _digits(self, x: float, y: float) -> str:
        if math.isinf(y):
            return "exact now" if y > 0 else "fails now"
        if math.isinf(x):
            return "no longer exact" if x > 0 else "no longer fails"
        far = abs(y - x)
        text = f"{far:.2f}" if far >= 0.1 else self.number(far, 2)
        return f"{text} {'digit' if text == '1.00' else 'digits'} {'lost' if y < x else 'gained'}"
