"""The values of the properties that code compares, each written once."""

from __future__ import annotations

from varkernels.enums import StrEnum

__all__ = ["EpsilonInRunning", "EpsilonPlace", "RunningLaw", "RunningSpread"]


class EpsilonPlace(StrEnum):
    """Where epsilon e enters the divisor, of a variance v."""

    INSIDE = "inside the root"  # sqrt(v + e)
    ADDED = "added to the deviation"  # sqrt(v) + e
    VARIANCE_FLOOR = "floor of the variance"  # sqrt(max(v, e))
    DEVIATION_FLOOR = "floor of the deviation"  # max(sqrt(v), e)
    NONE = "none"  # sqrt(v)


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
