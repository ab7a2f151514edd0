"""What synchronised batch normalisation does with batches of different sizes, inferred from observations.

The ``sync.py`` of a framework's folder observes one training step of a layer on several ranks. Each rank's batch is
known exactly, so that every way to merge the ranks' statistics predicts other numbers, as fractions:

==========================  ======================================================  ================================
merge                       mean                                                    variance (divided by the count)
==========================  ======================================================  ================================
all values                  of all values                                           of all values
ranks alike                 mean of the ranks' means                                mean of their E[x^2], less mean^2
ranks alike, within only    mean of the ranks' means                                mean of the ranks' variances
all values, within only     of all values                                           of the ranks' variances, by count
local                       of the rank's own values                                of the rank's own values
==========================  ======================================================  ================================

The variance may be corrected by n / (n - 1), where n counts all values or the rank's own. The normalising statistics
follow from two outputs of a rank, y = (x - mean) / sqrt(variance + epsilon); the others from the running ones, whose
new value weighs one half. What two ways predict alike stays undetermined: equal sizes leave much open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..findings.properties import SYNC, properties_of, property_of
from .finding import Finding, failed, listed, measured, not_applicable, undetermined

__all__ = ["CORRECTIONS", "MERGES", "PROPERTIES", "Hypothesis", "findings", "infer", "predictions"]

# Their last value, "other", is none of the hypotheses.
MERGES = tuple(map(str, property_of("sync.normalise.merge").values[:-1]))
CORRECTIONS = tuple(map(str, property_of("sync.normalise.correction").values[:-1]))
PROPERTIES = tuple(one.id for one in properties_of(SYNC))
# Between float32's rounding, some 1e-6 of these numbers, and the ways' distance, at least 1e-2 (the tests hold it).
TOLERANCE = 1e-4

Shards = Sequence[Sequence[Fraction]]


@dataclass(frozen=True)
class Hypothesis:
    """A way to merge the ranks' statistics, and the count whose n / (n - 1) corrects the variance."""

    merge: str
    correction: str


def predictions(shards: Shards, rank: int) -> dict[Hypothesis, tuple[Fraction, Fraction]]:
    """The mean and the variance that each way gives a rank, for one channel.

    Parameters
    ----------
    shards : each rank's values, in the order of the ranks.
    rank : the rank that asks.
    """
    own = [_moments(values) for values in shards]
    counts = [len(values) for values in shards]
    total, ranks = sum(counts), len(shards)
    pooled = _moments([value for values in shards for value in values])
    mean = sum((mean for mean, _ in own), Fraction(0)) / ranks
    squares = sum((var + mean * mean for mean, var in own), Fraction(0)) / ranks
    within = sum((var for _, var in own), Fraction(0)) / ranks
    by_count = sum((var * n for (_, var), n in zip(own, counts, strict=True)), Fraction(0)) / total
    merged = (pooled, (mean, squares - mean * mean), (mean, within), (pooled[0], by_count), own[rank])
    found = {}
    for merge, (centre, var) in zip(MERGES, merged, strict=True):
        for correction, n in zip(CORRECTIONS, (0, total, counts[rank]), strict=True):
            if n != 1:
                found[Hypothesis(merge, correction)] = (centre, var if n == 0 else var * n / (n - 1))
    return found


def _moments(values: Sequence[Fraction]) -> tuple[Fraction, Fraction]:
    mean = sum(values, Fraction(0)) / len(values)
    return mean, sum(((value - mean) ** 2 for value in values), Fraction(0)) / len(values)


def findings(observations: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The findings of one script's file, as `inference.infer` gives them; each run is a variant.

    Raises
    ------
    ValueError
        The observations are of another format.
    """
    if observations.get("format") != 1:
        raise ValueError(f"observations of format {observations.get('format')!r}: run this version's script again")
    found = []
    for run in observations["runs"]:
        ranks = f"{run['world']} rank{'s' if run['world'] > 1 else ''}"
        found += [one.record(SYNC, f"{run['mechanism']}, {run['sizes']}, {ranks}") for one in infer(run)]
    return found


def infer(run: Mapping[str, Any]) -> list[Finding]:
    """The findings of one run, one for each of `PROPERTIES`.

    Parameters
    ----------
    run : an entry of "runs" in a script's file; `probes/sync_shards.py` says what it has.
    """
    if "unsupported" in run:
        return [not_applicable(name, str(run["unsupported"])) for name in PROPERTIES]
    if "error" in run:
        return [failed(name, str(run["error"])) for name in PROPERTIES]
    shards = [_columns(rank) for rank in run["x"]]
    channels = len(shards[0])
    normal = [_solve(x, y, run["epsilon"]) for x, y in zip(run["x"], run["y"], strict=True)]
    findings = _judged("normalise", shards, normal, channels)
    if any(one is None for one in run["after"]):
        return findings + [not_applicable(name, "No running statistics are kept.") for name in PROPERTIES[2:]]
    moved = [_moved(b, a, run["momentum"]) for b, a in zip(run["before"], run["after"], strict=True)]
    findings += _judged("running", shards, moved, channels)
    same = all(_near(one, moved[0]) for one in moved)
    detail = "Every rank keeps the same running statistics." if same else "The ranks' running statistics differ."
    return [*findings, measured("sync.running.ranks", "same" if same else "different", detail)]


def _columns(rank: Sequence[Sequence[float]]) -> list[list[Fraction]]:
    return [[Fraction(value) for value in column] for column in zip(*rank, strict=True)]


Statistics = list[tuple[float, float]]  # for each channel


def _solve(x: Sequence[Sequence[float]], y: Sequence[Sequence[float]], epsilon: float) -> Statistics:
    """A rank's normalising mean and variance, from the extremes of each channel."""
    found = []
    for xs, ys in zip(zip(*x, strict=True), zip(*y, strict=True), strict=True):
        low, high = xs.index(min(xs)), xs.index(max(xs))
        rise = float(ys[high]) - float(ys[low])
        root = (float(xs[high]) - float(xs[low])) / rise if rise else math.inf
        found.append((float(xs[low]) - float(ys[low]) * root, root * root - epsilon))
    return found


def _moved(before: Mapping[str, Any], after: Mapping[str, Any], momentum: float) -> Statistics:
    """A rank's statistics that went into the running ones, which a momentum of one half weighs like the old ones."""
    columns = zip(before["mean"], after["mean"], before["var"], after["var"], strict=True)
    return [((b - momentum * a) / (1 - momentum), (d - momentum * c) / (1 - momentum)) for a, b, c, d in columns]


def _near(one: Statistics, other: Statistics) -> bool:
    return all(_close(a, b) for a, b in zip(one, other, strict=True))


def _close(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether mean and variance agree; a mean is measured in deviations."""
    deviation = math.sqrt(max(abs(other[1]), abs(one[1])))
    return abs(one[0] - other[0]) <= TOLERANCE * deviation and abs(one[1] - other[1]) <= TOLERANCE * abs(other[1])


def _judged(
    which: str, shards: Sequence[Sequence[Sequence[Fraction]]], found: Sequence[Statistics], channels: int
) -> list[Finding]:
    """The merge and the correction that every rank and every channel bear out."""
    left: list[Hypothesis] = [Hypothesis(merge, correction) for merge in MERGES for correction in CORRECTIONS]
    for rank, statistics in enumerate(found):
        for channel in range(channels):
            predicted = predictions([one[channel] for one in shards], rank)
            left = [
                way
                for way in left
                if way in predicted
                and _close(statistics[channel], (float(predicted[way][0]), float(predicted[way][1])))
            ]
    seen = f"rank 0, channel 0 has mean {found[0][0][0]:.6g}, variance {found[0][0][1]:.6g}"
    merges = [merge for merge in MERGES if any(way.merge == merge for way in left)]
    corrections = [name for name in CORRECTIONS if any(way.correction == name for way in left)]
    return [
        _one(f"sync.{which}.merge", merges, seen),
        _one(f"sync.{which}.correction", corrections, seen),
    ]


def _one(name: str, values: Sequence[str], seen: str) -> Finding:
    if not values:
        return measured(name, "other", f"No way that is known gives this: {seen}.")
    if len(values) > 1:
        return undetermined(name, f"{listed(values)}: these batches can't tell; {seen}.")
    return measured(name, values[0], f"{seen[0].upper()}{seen[1:]}.")
