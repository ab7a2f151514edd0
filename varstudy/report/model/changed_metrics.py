"""A change of a metric in words: before, after, how far it moved, and which changes come first."""

from __future__ import annotations

import math

from ...study.comparison import METRICS, Change
from ..words import clean, number

__all__ = ["both", "failing", "figure", "median_moved", "moved", "place", "rank", "title"]

# What an exact answer counts as where lost digits are ordered: more than float64 has.
EXACT = 17.0
_PLACES = {name: at for at, name in enumerate(METRICS)}


def title(name: str) -> str:
    """A metric as a phrase with its unit, where the phrase does not say it."""
    metric = METRICS[name]
    return clean(metric.title + (" (ulp)" if metric.unit == "ulp" else ""))


def place(change: Change) -> int:
    """Which of a measurement's changes tells most: failures, digits, errors, in the order of `comparison.METRICS`."""
    return _PLACES[change.metric]


def figure(name: str, value: float, figures: int = 3) -> str:
    """A metric's value: digits to as many decimals as three figures of an ordinary one have."""
    if math.isnan(value):
        return "not measured"
    if METRICS[name].unit != "digits":
        return number(value, figures)
    if math.isinf(value):
        return "exact" if value > 0 else "fails"
    return f"{value:.{figures - 1}f}".replace("-", "−")


def both(change: Change) -> tuple[str, str]:
    """The two values, with as many figures as it takes to tell them apart."""
    for figures in range(3, 27):
        texts = figure(change.metric, change.before, figures), figure(change.metric, change.after, figures)
        if texts[0] != texts[1]:
            break
    return texts


def moved(change: Change) -> str:
    """How far it moved, and which way."""
    x, y, metric = change.before, change.after, METRICS[change.metric]
    if math.isnan(x) or math.isnan(y):
        return "not measured any more" if math.isnan(y) else "measured now"
    if metric.unit == "digits":
        return _digits(x, y)
    if metric.unit == "rows":
        return f"{number(abs(y - x), 6)} {'row' if abs(y - x) == 1 else 'rows'} {'more' if y > x else 'fewer'}"
    if math.isinf(x) or math.isinf(y):
        return "infinite now" if math.isinf(y) else "not infinite any more"
    if not x or not y:
        return "zero now" if not y else "not zero any more"
    if abs(y - x) < 0.01 * abs(x):
        return f"{number(100 * abs(y - x) / abs(x), 2)} % {'larger' if y > x else 'smaller'}"
    return f"{number(y / x)} times as large"


def _digits(x: float, y: float) -> str:
    if math.isinf(y):
        return "exact now" if y > 0 else "fails now"
    if math.isinf(x):
        return "not exact any more" if x > 0 else "does not fail any more"
    far = abs(y - x)
    text = f"{far:.2f}" if far >= 0.1 else number(far, 2)
    return f"{text} {'digit' if text == '1.00' else 'digits'} {'lost' if y < x else 'gained'}"


def median_moved(x: float, y: float) -> str:
    """The same of an algorithm's median digits; nothing where one of the two is missing."""
    if math.isnan(x) or math.isnan(y):
        return "–"
    return "=" if x == y else _digits(x, y)


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
