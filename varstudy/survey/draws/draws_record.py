"""draws.json: how the error of each framework's variance varies over rows, and with their mean and size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from varkernels.enums import StrEnum

from ..._io.record_file import Cells, RecordFile
from ..._io.unchanged import once

__all__ = [
    "COMMITTED",
    "NAME",
    "DrawFact",
    "DrawProblem",
    "DrawRow",
    "DrawStatus",
    "committed",
    "facts",
    "read",
    "rows",
    "write",
]

NAME = "draws.json"
COMMITTED = Path(__file__).parent.parent / "data" / NAME
COMMAND = "python -m varstudy.survey.draws.commit"


class DrawProblem(ValueError):
    """A file of draws that cannot be read: one sentence that says what to do."""


class DrawStatus(StrEnum):
    """Whether a layer's outputs show its variance; a reason stands with all but the first."""

    MEASURED = "measured"
    REFUSED = "refused"  # the framework raised, or gave another shape or dtype
    UNSUPPORTED = "unsupported"
    FAILED = "failed"  # its process died or was ended
    NOT_READ = "not read"  # what the layer does with a variance is not known


@dataclass
class DrawRow(Cells):
    """The errors of one layer's variance over rows of one size and mean; the deviation is 1, the format float32.

    An error is relative, of the variance that a row's outputs imply, or its running variance where that shows more and
    agrees. Outputs that are not finite, or all alike, have an infinite error.

    Attributes
    ----------
    framework : its name. version : of it and what it builds on.
    kind : batch, layer, group or instance. variant : as in the conventions. memory : contiguous or channels-last.
    threads : ``1``, ``2``, or ``1 and 2`` where both give the same outputs.
    size : values of a row. mean : of the values. rows : how many.
    status : a `DrawStatus`; reason : of one that is not measured.
    least, median, worst : of the errors. signed : the worst with its sign.
    resolution : the median of what rows can show. unresolved : rows whose error is within what they can show: it is at
        most that.
    zero : rows whose variance reads 0 or less. not_finite : rows with outputs that are NaN or infinite.
    """

    framework: str
    version: str
    kind: str
    variant: str
    memory: str
    threads: str
    size: int
    mean: float
    rows: int
    status: str
    reason: str = ""
    least: float = math.nan
    median: float = math.nan
    worst: float = math.nan
    signed: float = math.nan
    resolution: float = math.nan
    unresolved: int = 0
    zero: int = 0
    not_finite: int = 0


@dataclass
class DrawFact(Cells):
    """One framework as it was measured.

    Attributes
    ----------
    framework, title : its names. status : ``measured`` or ``not measured``; reason says why.
    version : of it and what it builds on. python : of its interpreter. date : in UTC. machine : the CPU's model.
    repeated : ``same errors``, or in how many rows a second run differs; ``run once``.
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


_AGAIN = f"make it again with '{COMMAND}'"
_PARTS = {"settings": dict, "facts": list, "provenance": dict}
_FILE = RecordFile(
    "varstudy-draws", 1, "record of draws", _AGAIN, _PARTS, DrawProblem, name=NAME, row=DrawRow,
    tables={"facts": DrawFact},
)  # fmt: skip
rows, read, write = _FILE.rows, _FILE.read, _FILE.write


def facts(content: Mapping[str, Any]) -> list[DrawFact]:
    """One for each framework of a content."""
    return _FILE.table(content, "facts")


_read_once = once(read)


def committed() -> dict[str, Any]:
    """The draws that come with the package. Nobody changes them."""
    return _read_once(COMMITTED)
