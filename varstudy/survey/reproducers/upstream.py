"""upstream.json: what is known of a finding where the software is made; a person looks, and writes it down."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from varkernels.enums import StrEnum

from ..._io.matching import matches
from ..._io.record_file import FileKind

__all__ = ["COMMITTED", "Standing", "UpstreamProblem", "UpstreamState", "committed", "read", "states"]

COMMITTED = Path(__file__).parent.parent / "data" / "upstream.json"
_ADDRESS = re.compile(r"[\w.-]+/[\w.-]+(#[1-9]\d*|@[0-9a-f]{7,40})")
_DATE = re.compile(r"20\d\d-[01]\d-[0-3]\d")


class UpstreamProblem(ValueError):
    """States that cannot be read: one sentence that says what to do."""


class Standing(StrEnum):
    """How a report stands; of one that nobody found it is not known whether there is one."""

    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"
    NONE_FOUND = "none found"


@dataclass(frozen=True)
class UpstreamState:
    """What is known of some findings where the software is made.

    Attributes
    ----------
    findings : a glob of addresses. where : ``owner/repository#number``; empty where none was found.
    state : a `Standing`. mended : the version that has the mended code; empty where none is known.
    date : when it was looked up. note : one sentence more; may be empty.
    """

    findings: str
    where: str
    state: Standing
    mended: str
    date: str
    note: str

    @property
    def words(self) -> str:
        """The state in a few words."""
        if self.state == Standing.NONE_FOUND:
            return f"None found on {self.date}"
        return f"{self.where} {self.state}" + (f", mended upstream in {self.mended}" if self.mended else "")

    @property
    def sentence(self) -> str:
        """The state for a script."""
        found = "no report found" if self.state == Standing.NONE_FOUND else f"{self.where}, {self.state}"
        mended = f"; mended in {self.mended}" if self.mended else ""
        return f"Upstream on {self.date}: {found}{mended}." + (f" {self.note}" if self.note else "")


_FILE = FileKind(
    "varstudy-upstream",
    1,
    "file of upstream states",
    "install varstudy again, or take the file from its repository",
    {},
    UpstreamProblem,
    sealed=False,
)


def read(path: str | Path) -> list[UpstreamState]:
    """The states of a file, in its order.

    Raises
    ------
    FileNotFoundError
        There is none.
    UpstreamProblem
        It cannot be read, or breaks a rule of the states.
    """
    file = Path(path)
    content = _FILE.read(file, file.name)
    found = []
    for number, given in enumerate(content["rows"], 1):
        try:
            found.append(_state(given))
        except ValueError as error:
            raise _FILE.edited(file.name, ValueError(f"row {number}: {error}")) from error
    return found


def _state(given: Any) -> UpstreamState:
    names = [each.name for each in fields(UpstreamState)]
    if not isinstance(given, dict) or set(given) != set(names):
        raise ValueError(f"its columns are not {', '.join(names)}")
    for name, value in given.items():
        if not isinstance(value, str):
            raise ValueError(f"{name} is {value!r}, which is no text")
    state = Standing(given["state"])
    if (state == Standing.NONE_FOUND) != (not given["where"]):
        raise ValueError(f"state {given['state']!r} does not go with where {given['where']!r}")
    if given["where"] and not _ADDRESS.fullmatch(given["where"]):
        raise ValueError(f"where {given['where']!r} is not owner/repository#number")
    if not _DATE.fullmatch(given["date"]):
        raise ValueError(f"date {given['date']!r} is no date")
    if not given["findings"]:
        raise ValueError("findings is empty")
    if given["note"] and not given["note"].endswith("."):
        raise ValueError(f"note {given['note']!r} has no full stop")
    return UpstreamState(**{**given, "state": state})


@cache
def committed() -> tuple[UpstreamState, ...]:
    """The states that come with the package."""
    return tuple(read(COMMITTED))


def states(address: str, known: Sequence[UpstreamState] | None = None) -> tuple[UpstreamState, ...]:
    """What is known of an address; empty where nobody has looked.

    Parameters
    ----------
    known : in place of the committed states.
    """
    return tuple(each for each in (committed() if known is None else known) if matches(address, each.findings))
