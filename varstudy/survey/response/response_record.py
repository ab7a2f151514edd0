"""response.json: the frameworks' conventions of local response normalisation, and the errors of their outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._io.record_file import Cells, RecordFile

__all__ = [
    "COMMITTED",
    "NAME",
    "ResponseProblem",
    "ResponseRow",
    "ResponseScore",
    "committed",
    "read",
    "rows",
    "scores",
    "write",
]

NAME = "response.json"
COMMITTED = Path(__file__).parent.parent / "data" / NAME


class ResponseProblem(ValueError):
    """A record that cannot be made or read: one sentence that says what to do."""


@dataclass
class ResponseRow(Cells):
    """One property of a framework's local response normalisation, measured.

    Attributes
    ----------
    framework : its name. property : as in `inferring.PROPERTIES`. value : JSON; null where outputs leave it open.
    version, date : of the measurement. detail : what was raised.
    """

    framework: str
    property: str
    value: str
    version: str
    date: str
    detail: str = ""


@dataclass
class ResponseScore(Cells):
    """The outputs of a framework on one of the study's inputs.

    Attributes
    ----------
    framework : its name. input, parameters : as in `varstudy.study.response_orders`.
    status, error, units_worst, not_finite : as of `varstudy.study.element_score.ElementScore`; the status is empty
        where the framework raised. detail : what was raised.
    """

    framework: str
    input: str
    parameters: str
    status: str
    error: float
    units_worst: float
    not_finite: int
    detail: str = ""


_AGAIN = "make it again with 'python -m varstudy.survey.response.commit'"
_FILE = RecordFile(
    "varstudy-response", 1, "record of local response normalisation", _AGAIN, {"scores": list}, ResponseProblem,
    name=NAME, row=ResponseRow,
)  # fmt: skip
_SCORES = RecordFile("", 1, "", _AGAIN, {}, ResponseProblem, name=NAME, row=ResponseScore)
rows, write = _FILE.rows, _FILE.write


def scores(content: Mapping[str, Any]) -> list[ResponseScore]:
    """The errors of a content."""
    return _SCORES.rows({"rows": content["scores"]})


def read(path: str | Path) -> dict[str, Any]:
    """The content of a file.

    Raises
    ------
    FileNotFoundError
        There is none.
    ResponseProblem
        It cannot be read, or is none of this version.
    """
    content = _FILE.read(path)
    try:
        scores(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _FILE.edited(Path(path).name, error) from error
    return content


def committed() -> dict[str, Any]:
    """The record that comes with the package."""
    return read(COMMITTED)
