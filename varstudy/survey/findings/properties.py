"""The vocabulary: what is asked of a normalisation layer, and the values that an answer may have.

Measured findings and documented facts speak it alike, so that they can be laid side by side. ``properties.json`` lists
the properties; the values that code compares are here, each written once, with the formulas that epsilon's place is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from varkernels.enums import StrEnum

from ..._io.matching import nearest

__all__ = [
    "KINDS",
    "NUMBER",
    "NUMBERS",
    "PROPERTIES",
    "SYNC",
    "AccuracyLoss",
    "EpsilonInRunning",
    "EpsilonPlace",
    "Evaluation",
    "FindingStatus",
    "Gradient",
    "LayerKind",
    "MomentumSide",
    "Property",
    "RunningLaw",
    "RunningSpread",
    "TrainingStatistics",
    "check",
    "is_number",
    "properties_of",
    "property_of",
]


class LayerKind(StrEnum):
    """What is asked: a kind of layer, or batch norm on several ranks, whose statistics are merged."""

    BATCH = "batch"
    LAYER = "layer"
    GROUP = "group"
    INSTANCE = "instance"
    RMS = "rms"
    SYNC = "sync"


class FindingStatus(StrEnum):
    """What became of a question: only a measured property has a value."""

    MEASURED = "measured"
    UNDETERMINED = "undetermined"
    NOT_APPLICABLE = "not applicable"
    FAILED = "failed"
    NOT_RUN = "not run"


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


SYNC = LayerKind.SYNC
# The kinds that are layers of their own.
KINDS = tuple(kind for kind in LayerKind if kind != SYNC)
NUMBER = "a number"
NUMBERS = "a list of numbers"
Value = str | float | int | list[float] | None


@dataclass(frozen=True)
class Property:
    """One thing to know about a layer.

    Attributes
    ----------
    id : the name in tables and files.
    title : for people, a few words.
    question : what is asked, one sentence.
    kinds : the kinds of layer that it is asked of.
    values : the answers that it may have; `NUMBER` and `NUMBERS` stand for any.
    """

    id: str
    title: str
    question: str
    kinds: tuple[LayerKind, ...]
    values: tuple[str | int, ...]


def _declared() -> dict[str, Property]:
    """What ``properties.json`` declares; a word for its values names the enum that has them."""
    known_enums: tuple[type[StrEnum], ...] = (
        AccuracyLoss, EpsilonInRunning, EpsilonPlace, Evaluation, Gradient, MomentumSide, RunningLaw, RunningSpread,
        TrainingStatistics,
    )  # fmt: skip
    enums = {each.__name__: each for each in known_enums}
    found = {}
    for row in json.loads(Path(__file__).with_suffix(".json").read_text("utf-8")):
        values, kinds = row.pop("values"), row.pop("kinds")
        known = enums[values] if isinstance(values, str) else values
        found[row["id"]] = Property(**row, kinds=tuple(map(LayerKind, kinds)), values=tuple(known))
    return found


PROPERTIES = _declared()


def property_of(name: str) -> Property:
    """The property of that id.

    Raises
    ------
    ValueError
        There is none; the sentence suggests near names.
    """
    if name not in PROPERTIES:
        raise ValueError(f"property {name!r} is unknown: {nearest(name, PROPERTIES, 'see PROPERTIES')}")
    return PROPERTIES[name]


def properties_of(kind: str) -> list[Property]:
    """The properties that are asked of a kind of layer, or of `SYNC`, in their order.

    Raises
    ------
    ValueError
        The kind is unknown.
    """
    known = (*KINDS, SYNC)
    if kind not in known:
        raise ValueError(f"kind {kind!r} is unknown: {nearest(kind, known, 'use one of ' + ', '.join(known))}")
    return [one for one in PROPERTIES.values() if kind in one.kinds]


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number; True and False are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check(name: str, value: Value) -> None:
    """Refuse a value that a property cannot have; None, no value, is always one.

    Raises
    ------
    ValueError
        The property is unknown, or the value is none of its values.
    """
    known = property_of(name)
    word = isinstance(value, str) and value in known.values and value not in (NUMBER, NUMBERS)
    if value is None or word or (is_number(value) and (NUMBER in known.values or value in known.values)):
        return
    if isinstance(value, list) and NUMBERS in known.values and all(isinstance(one, (int, float)) for one in value):
        return
    raise ValueError(
        f"property {name!r} cannot have the value {value!r}: use one of {', '.join(map(str, known.values))}"
    )
