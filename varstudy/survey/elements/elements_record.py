"""elements.json: what the outputs and gradients of each framework's norms are worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from varkernels.enums import StrEnum

from ..._io.record_file import Cells, RecordFile
from ..._io.unchanged import once
from ...study.gradient_orders import OrderRow

__all__ = [
    "COMMITTED",
    "NAME",
    "ElementFact",
    "ElementProblem",
    "ElementRow",
    "Outcome",
    "committed",
    "facts",
    "orders",
    "read",
    "rows",
    "write",
]

NAME = "elements.json"
COMMITTED = Path(__file__).parent.parent / "data" / NAME
COMMAND = "python -m varstudy.survey.elements.commit"


class ElementProblem(ValueError):
    """A file of outputs and gradients that cannot be read: one sentence that says what to do."""


class Outcome(StrEnum):
    """Whether a layer gave an array that can be scored; a reason stands with all but the first."""

    SCORED = "scored"
    REFUSED = "refused"  # the framework raised: stands for all inputs of a format that it refuses for the same reason
    UNSUPPORTED = "unsupported"  # the framework has no such layer or gradient: stands for all formats and inputs
    OTHER_SHAPE = "other shape"
    OTHER_DTYPE = "other dtype"  # scored all the same, in its own
    FAILED = "failed"  # its process died or was ended


@dataclass
class ElementRow(Cells):
    """One array that a layer was asked for, and its score.

    Attributes
    ----------
    framework : its name. kind : batch, layer, group, instance or rms. array : y, dx, dweight or dbias.
    mode : training or evaluation. storage : of x and dy. parameters : same, float32 or absent: the format of scale and
        shift. memory : contiguous or channels-last.
    threads : ``1``, ``2``, or ``1 and 2`` where both give the same bits.
    input : the name of the values, as in the head's inputs.
    size : of y and dx, the values that a mean is of; of dweight and dbias, the terms of a sum.
    outcome : an `Outcome`; reason : of one that is not scored, or of another dtype. answers_in : the array's dtype.
    status : a `varstudy.study.score.Status`, of the array. elements, out_of_range, not_finite, units_worst,
        units_median, error, stored, computed, exact : as of `varstudy.study.element_score.ElementScore`.
    """

    framework: str
    kind: str
    array: str
    mode: str
    storage: str
    parameters: str
    memory: str
    threads: str
    input: str
    size: int
    outcome: str
    reason: str = ""
    answers_in: str = ""
    status: str = ""
    elements: int = 0
    out_of_range: int = 0
    not_finite: int = 0
    units_worst: float = math.nan
    units_median: float = math.nan
    error: float = math.nan
    stored: float = math.nan
    computed: float = math.nan
    exact: float = math.nan


@dataclass
class ElementFact(Cells):
    """One framework as it was measured.

    Attributes
    ----------
    framework, title : its names. status : ``measured`` or ``not measured``; reason says why.
    version : of it and what it builds on. python : of its interpreter. date : in UTC. machine : the CPU's model.
    repeated : ``same scores``, or in how many arrays a second run differs; ``run once``; and on how many inputs,
        where not on all.
    """

    framework: str
    title: str
    status: str
    reason: str = ""
    version: str = ""
    python: str = ""
    date: str = ""
    machine: str = ""
    repeated: str = ""


_PARTS = {"settings": dict, "inputs": list, "facts": list, "orders": list, "provenance": dict}
_AGAIN = f"make it again with '{COMMAND}'"
_FILE = RecordFile(
    "varstudy-elements", 1, "record of outputs and gradients", _AGAIN, _PARTS, ElementProblem, name=NAME,
    row=ElementRow, tables={"facts": ElementFact, "orders": OrderRow},
)  # fmt: skip
rows, read, write = _FILE.rows, _FILE.read, _FILE.write


def facts(content: Mapping[str, Any]) -> list[ElementFact]:
    """One for each framework of a content."""
    return _FILE.table(content, "facts")


def orders(content: Mapping[str, Any]) -> list[OrderRow]:
    """What our own kernels' orders do to the gradients of scale and shift."""
    return _FILE.table(content, "orders")


_read_once = once(read)


def committed() -> dict[str, Any]:
    """The outputs and gradients that come with the package. Nobody changes them."""
    return _read_once(COMMITTED)
