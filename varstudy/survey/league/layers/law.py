"""A layer's law, from the committed findings; and the variance that its outputs imply by it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...findings import measured as conventions
from ...findings.properties import EpsilonPlace, FindingStatus, TrainingStatistics
from ...inference.accuracy import grid

__all__ = ["RESOLUTION", "Law", "implied", "laws"]

# What is left of the variance by the roundings of x - mean, 1 / d, their product and y, relative to d squared.
RESOLUTION = 2.0**-21


@dataclass(frozen=True)
class Law:
    """What a layer does with a variance, as it was measured: y = (x - mean) / d, d made of variance and epsilon.

    Attributes
    ----------
    correction : its variance is M2 / (n - correction). epsilon, place : see `varstudy.survey.findings.properties`.
    """

    correction: int
    epsilon: float
    place: EpsilonPlace

    def variance(self, slope: float) -> float:
        """The variance of which d = `slope` (dx / dy) is made; 0 where d is the floor."""
        return self.place.variance(slope**2, self.epsilon, RESOLUTION)

    def spread(self, variance: float) -> float:
        """By how much an error of d squared is larger in the variance, relative to each; infinite where d is a floor.

        d squared is the variance and epsilon; d is the deviation and epsilon.
        """
        if self.place == EpsilonPlace.INSIDE:
            return 1 + self.epsilon / variance
        if self.place == EpsilonPlace.ADDED:
            return 1 + self.epsilon / math.sqrt(variance)
        if self.place.startswith("floor"):
            floor = self.epsilon if self.place == EpsilonPlace.VARIANCE_FLOOR else self.epsilon**2
            return math.inf if variance <= floor else 1.0
        return 1.0


def laws(found: Sequence[conventions.FindingRow], framework: str) -> Callable[[str, str], tuple[Law, str] | str]:
    """From committed findings: the law of a kind and variant, and whose it is if another's; or why there is none."""
    known: dict[tuple[str, str], dict[str, conventions.FindingRow]] = {}
    for row in found:
        if row.framework == framework:
            known.setdefault((row.kind, row.variant), {}).setdefault(row.property, row)

    def own(kind: str, variant: str) -> Law | str:
        said = known.get((kind, variant), {})
        uses = said.get("training.statistics")
        if uses is not None and uses.status == FindingStatus.MEASURED and uses.plain() == TrainingStatistics.RUNNING:
            return "it normalises with its running statistics, which a batch moves only in part"
        divisor, epsilon, where = (
            said.get(f"{n}") for n in ("correction.normalise", "epsilon.default", "epsilon.place")
        )
        if divisor is None or divisor.plain() not in (0, 1):
            return f"its divisor is not known: {divisor.detail if divisor else 'never measured'}"
        if where is None or where.status != FindingStatus.MEASURED:
            return f"the place of its epsilon is not known: {where.detail if where else 'never measured'}"
        if epsilon is None or epsilon.status not in (FindingStatus.MEASURED, FindingStatus.NOT_APPLICABLE):
            return f"its epsilon is not known: {epsilon.detail if epsilon else 'never measured'}"
        return Law(int(divisor.plain()), float(epsilon.plain() or 0.0), EpsilonPlace(where.plain()))

    def law(kind: str, variant: str) -> tuple[Law, str] | str:
        mine = own(kind, variant)
        if isinstance(mine, Law):
            return mine, ""
        if "running statistics" not in mine:
            for other_kind, other in sorted(known):
                theirs = own(kind, other) if other_kind == kind else ""
                if isinstance(theirs, Law):
                    return theirs, other
        return mine

    return law


def implied(x: NDArray[Any], outputs: Mapping[str, Any], exact: float, law: Law) -> tuple[float, float]:
    """The variance that a row's outputs imply, and the resolution relative to the exact one; NaN where they are none.

    Where all inputs are alike, outputs that are one finite constant show the variance 0, and no others do.

    The slope is that between the smallest and the largest input. How far other outputs lie off that line is what the
    layer's roundings do to it; where there are few, so is the grid that the outputs are on, if it is no coarser than
    that of x / d: a layer that computes x * scale + shift rounds there.
    """
    if not outputs["finite"]:
        return math.nan, 0.0
    if exact == 0:
        return (0.0 if outputs["alike"] else math.nan), 0.0
    at = np.array(outputs["at"])
    xs = x[at].astype(np.float64)
    ys = np.array([float.fromhex(v) for v in outputs["y"]])
    low, high = int(np.argmin(xs)), int(np.argmax(xs))
    rise = float(ys[high] - ys[low])
    if rise == 0:
        return math.inf, 0.0
    slope = float(xs[high] - xs[low]) / rise
    off = float(np.abs(ys - ys[low] - (xs - xs[low]) / slope).max())
    off = max(off, min(grid(ys), float(np.spacing(np.float32(np.abs(xs / slope).max())))))
    turned = 2 * off / abs(rise)  # each end of the line may be off as far
    if slope < 0:
        return (math.nan, 0.0) if turned < 1 else (math.inf, math.inf)
    found = law.variance(slope)
    more = max(exact, found)
    rough = (1 - turned) ** -2 - 1 if turned < 1 else math.inf
    resolution = (RESOLUTION + rough) * law.spread(more) * (more / exact)
    if found < 0 and found >= -resolution * exact:
        found = 0.0  # not told from it
    return found, resolution
