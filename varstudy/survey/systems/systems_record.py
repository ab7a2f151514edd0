"""systems.json: the frameworks' conventions of other layers than norms, and the errors of their outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._io.record_file import Cells, RecordFile
from ..._io.unchanged import once

__all__ = [
    "COMMITTED",
    "NAME",
    "SystemRow",
    "SystemScore",
    "SystemsProblem",
    "committed",
    "read",
    "rows",
    "scores",
    "write",
]

NAME = "systems.json"
COMMITTED = Path(__file__).parent.parent / "data" / NAME


class SystemsProblem(ValueError):
    """A record that cannot be made or read: one sentence that says what to do."""


@dataclass
class SystemRow(Cells):
    """One property of a framework's system, measured.

    Attributes
    ----------
    system, framework : their names. property : as in `System.properties`.
    value : JSON; null where outputs leave it open.
    version, date : of the measurement. detail : what was raised.
    """

    system: str
    framework: str
    property: str
    value: str
    version: str
    date: str
    detail: str = ""

    def plain(self) -> Any:
        """The value itself."""
        return json.loads(self.value)


@dataclass
class SystemScore(Cells):
    """The output of a framework's system on one of the study's inputs.

    Attributes
    ----------
    system, framework : their names. input, parameters : as in `System.scored`.
    status, error, units_worst, not_finite : as of `varstudy.study.element_score.ElementScore`; the status is empty
        where the framework raised. detail : what was raised.
    """

    system: str
    framework: str
    input: str
    parameters: str
    status: str
    error: float
    units_worst: float
    not_finite: int
    detail: str = ""


_AGAIN = "make it again with 'python -m varstudy.survey.systems.commit'"
_FILE = RecordFile(
    "varstudy-systems", 1, "record of systems", _AGAIN, {"scores": list}, SystemsProblem,
    name=NAME, row=SystemRow, tables={"scores": SystemScore},
)  # fmt: skip
rows, read, write = _FILE.rows, _FILE.read, _FILE.write


def scores(content: Mapping[str, Any]) -> list[SystemScore]:
    """The errors of a content."""
    return _FILE.table(content, "scores")


_read_once = once(read)


def committed() -> dict[str, Any]:
    """The record that comes with the package. Nobody changes it."""
    return _read_once(COMMITTED)
