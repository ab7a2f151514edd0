"""The values of the properties that code compares, each written once; and the formulas that epsilon's place is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from varkernels.enums import StrEnum

__all__ = [
    "AccuracyLoss",
    "EpsilonInRunning",
    "EpsilonPlace",
    "Evaluation",
    "Gradient",
    "MomentumSide",
    "RunningLaw",
    "RunningSpread",
    "TrainingStatistics",
]


class EpsilonPlace(StrEnum):
    """Where epsilon e enters the divisor, of a variance v."""

    INSIDE = "inside the root"  # sqrt(v + e)
    ADDED = "added to the deviation"  # sqrt(v) + e
    VARIANCE_FLOOR = "floor of the variance"  # sqrt(max(v, e))
    DEVIATION_FLOOR = "floor of the deviation"  # max(sqrt(v), e)
    NONE = "none"  # sqrt(v)

    def divisor(self, v: Any, e: Any, root: Callable[[Any], Any] = math.sqrt) -> Any:
        """What a variance v is divided by, under an epsilon e; in any arithmetic that has this root."""
        if self is EpsilonPlace.INSIDE:
            return root(v + e)
        if self is EpsilonPlace.ADDED:
            return root(v) + e
        if self is EpsilonPlace.VARIANCE_FLOOR:
            return root(max(v, e))
        return max(root(v), e) if self is EpsilonPlace.DEVIATION_FLOOR else root(v)

    def variance(self, squared: float, e: float, slack: float) -> float:
        """The variance of a squared divisor; 0 where that is the floor, or above it by less than `slack`, relative."""
        if self is EpsilonPlace.INSIDE:
            return squared - e
        if self is EpsilonPlace.ADDED:
            return (math.sqrt(squared) - e) ** 2
        floor = {EpsilonPlace.VARIANCE_FLOOR: e, EpsilonPlace.DEVIATION_FLOOR: e * e}.get(self, -1.0)
        return 0.0 if squared <= floor * (1 + slack) else squared


class EpsilonInRunning(StrEnum):
    """How epsilon e enters the running variance of batches of variance S / n."""

    NO = "no"
    ADDED = "added"  # S / (n - c) + e
    BEFORE = "before the correction"  # (S + n e) / (n - c)
    BOTH = "before and in the correction"  # the same with a c that has e in it: c = 1 + e


class RunningSpread(StrEnum):
    """Which statistic of the spread is kept for inference."""

    VARIANCE = "variance"
    DEVIATION = "deviation"
    INVERSE = "inverse deviation"
    NONE = "none kept"


class RunningLaw(StrEnum):
    """The law by which running statistics follow the batches'."""

    EXPONENTIAL = "exponential"
    PLAIN = "plain average"
    ADOPTED = "first batch adopted"  # then exponential
    DEBIASED = "zero-debiased"  # a decaying sum divided by the sum of its weights
    WEIGHTED = "batch-size weighted"
    ACCUMULATED = "accumulated decay"  # the decaying sums themselves are kept, undivided
    OTHER = "other"
    NONE = "none kept"


class MomentumSide(StrEnum):
    """Which statistics the momentum argument is the weight of."""

    OLD = "old"
    NEW = "new"
    NONE = "no argument"


class TrainingStatistics(StrEnum):
    """With whose statistics training normalises."""

    BATCH = "batch"
    RUNNING = "running"
    OTHER = "other"


class Evaluation(StrEnum):
    """With which statistics and epsilon inference normalises."""

    RUNNING = "running statistics"
    OTHER_EPSILON = "running statistics, other epsilon"
    BATCH = "batch statistics"
    OTHER = "other"


class Gradient(StrEnum):
    """Whether the gradient goes through the variance that normalises."""

    THROUGH = "through the variance"
    HELD = "variance held constant"
    OTHER = "other"


class AccuracyLoss(StrEnum):
    """The class of algorithms as which a variance loses accuracy."""

    STABLE = "stable"
    TWO_PASS = "two-pass, sequential mean"
    SQUARES = "E[x^2] - E[x]^2"
    OTHER = "other"
