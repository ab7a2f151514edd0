"""The vocabulary: what is asked of a normalisation layer, and the values that an answer may have.

Measured findings and documented facts speak it alike, so that they can be laid side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

from varkernels.enums import StrEnum

from ..._io.matching import nearest
from .property_values import EpsilonInRunning, EpsilonPlace, RunningLaw, RunningSpread

__all__ = [
    "KINDS",
    "NUMBER",
    "NUMBERS",
    "PROPERTIES",
    "SYNC",
    "FindingStatus",
    "LayerKind",
    "Property",
    "check",
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
    kinds: tuple[str, ...] = (LayerKind.BATCH,)
    values: tuple[str | int, ...] = ()


_ACCURACY = (NUMBER, "NaN", "inf")
_HALF = (NUMBER, "error", "inf", "NaN")
_EVERY = KINDS
_CENTRED = tuple(kind for kind in KINDS if kind != LayerKind.RMS)


def _synchronised() -> list[Property]:
    merges = ("all values", "ranks alike", "ranks alike, within only", "all values, within only", "local", "other")
    corrections = ("none", "all values", "own values", "other")
    found = []
    for which, title, used in (("normalise", "normalising", "normalise"), ("running", "running", "are kept")):
        found += [
            Property(
                f"sync.{which}.merge",
                f"ranks merged, {title}",
                f"How are the ranks' batches merged into the statistics that {used}?",
                (SYNC,),
                merges,
            ),
            Property(
                f"sync.{which}.correction",
                f"correction over ranks, {title}",
                f"Which count n corrects the variance of the statistics that {used}, by n / (n - 1)?",
                (SYNC,),
                corrections,
            ),
        ]
    title, question = "ranks' running statistics", "Does every rank keep the same running statistics?"
    return [*found, Property("sync.running.ranks", title, question, (SYNC,), ("same", "different"))]


def _accuracies() -> list[Property]:
    found = [
        Property(
            f"accuracy.{mean}",
            f"relative error at mean {mean}",
            f"How far off is the variance that normalises float32 values of mean {mean}, deviation 1?",
            _EVERY,
            _ACCURACY,
        )
        for mean in ("1e4", "1e5", "1e6")
    ]
    for dtype in ("float16", "bfloat16"):
        found += [
            Property(
                f"{dtype}.{mean}",
                f"{dtype}, mean {mean}",
                f"How far off is the variance that normalises {dtype} values of mean {mean}, deviation 1?",
                _EVERY,
                _HALF,
            )
            for mean in (0, 4, 100)
        ]
    return found


PROPERTIES = {
    one.id: one
    for one in [
        Property(
            "correction.normalise",
            "correction, normalising",
            "Which c is in the divisor n - c of the variance that normalises the batch?",
            _CENTRED,
            (0, 1, NUMBER),
        ),
        Property(
            "correction.running",
            "correction, running",
            "Which c is in the divisor n - c of the variance that goes into the running variance?",
            values=(0, 1, NUMBER, "none kept"),
        ),
        Property(
            "running.keeps",
            "what is kept",
            "Which statistic of the spread is kept for inference?",
            values=tuple(RunningSpread),
        ),
        Property(
            "running.update",
            "running update",
            "By which law do the running statistics follow the batches'?",
            values=tuple(RunningLaw),
        ),
        Property(
            "running.weight",
            "weight of the new batch",
            "What weight has the new batch at each of the first five steps, under defaults?",
            values=(NUMBERS,),
        ),
        Property(
            "running.steps",
            "running variance, step by step",
            "What is the running variance after each of five batches of one variance, under defaults?",
            values=(NUMBERS,),
        ),
        Property(
            "momentum.multiplies",
            "the argument multiplies",
            "Is the momentum argument the weight of the old statistics or of the new ones?",
            values=("old", "new", "no argument"),
        ),
        Property(
            "momentum.default",
            "momentum's default",
            "What is the default of the momentum argument, as the framework counts it?",
            values=(NUMBER,),
        ),
        Property("epsilon.default", "epsilon's default", "What is the default epsilon?", _EVERY, (NUMBER,)),
        Property(
            "epsilon.place",
            "epsilon's place",
            "Where does epsilon enter?",
            _EVERY,
            tuple(EpsilonPlace),
        ),
        Property(
            "epsilon.in_running",
            "epsilon in the running variance",
            "How does epsilon e enter the running variance of batches of variance S / n?",
            values=tuple(EpsilonInRunning),
        ),
        Property("initial.mean", "initial mean", "What is the running mean before any batch?", values=(NUMBER,)),
        Property("initial.var", "initial variance", "What is the running variance before any batch?", values=(NUMBER,)),
        Property(
            "one_value.output",
            "one value: output",
            "What does training give for one value a channel?",
            _EVERY,
            ("error", "zeros", "identity", "NaN", "other"),
        ),
        Property(
            "one_value.running",
            "one value: running variance",
            "What does one value a channel do to the running variance?",
            values=("unmoved", "moved", "NaN", "infinite", "error", "none kept"),
        ),
        Property(
            "evaluation",
            "evaluation",
            "With which statistics and epsilon does inference normalise?",
            ("batch", "instance"),
            ("running statistics", "running statistics, other epsilon", "batch statistics", "other"),
        ),
        Property(
            "training.statistics",
            "training statistics",
            "With whose statistics does training normalise?",
            values=("batch", "running", "other"),
        ),
        Property(
            "running.when",
            "when statistics move",
            "What makes the running statistics move?",
            values=("forward", "next forward", "backward", "separate call", "never"),
        ),
        Property(
            "gradient",
            "gradient",
            "Does the gradient go through the variance that normalises?",
            _EVERY,
            ("through the variance", "variance held constant", "other"),
        ),
        *_accuracies(),
        Property(
            "algorithm",
            "algorithm",
            "As which algorithm does the variance lose accuracy?",
            _CENTRED,
            ("stable", "two-pass, sequential mean", "E[x^2] - E[x]^2", "other"),
        ),
        Property(
            "float16.accumulator",
            "float16's accumulator",
            "In which format are float16 values summed?",
            _EVERY,
            ("float32", "float16"),  # float32 stands for a wider format
        ),
        *_synchronised(),
    ]
}


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


def check(name: str, value: Value) -> None:
    """Refuse a value that a property cannot have; None, no value, is always one.

    Raises
    ------
    ValueError
        The property is unknown, or the value is none of its values.
    """
    known = property_of(name)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    word = isinstance(value, str) and value in known.values and value not in (NUMBER, NUMBERS)
    if value is None or word or (number and (NUMBER in known.values or value in known.values)):
        return
    if isinstance(value, list) and NUMBERS in known.values and all(isinstance(one, (int, float)) for one in value):
        return
    raise ValueError(
        f"property {name!r} cannot have the value {value!r}: use one of {', '.join(map(str, known.values))}"
    )
