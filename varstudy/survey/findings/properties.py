"""The vocabulary: what is asked of a normalisation layer, and the values that an answer may have.

Measured findings and documented facts speak it alike, so that they can be laid side by side.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from varkernels.enums import StrEnum

from ..._io.matching import nearest
from . import property_values

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
    """What ``properties.json`` declares; a word for its values names the enum of `property_values` that has them."""
    found = {}
    for row in json.loads(Path(__file__).with_suffix(".json").read_text("utf-8")):
        values, kinds = row.pop("values"), row.pop("kinds")
        known = getattr(property_values, values) if isinstance(values, str) else values
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
