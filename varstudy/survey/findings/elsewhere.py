"""Conventions that another device or another version of a framework has: documented or read, never measured here.

They are written by hand, in ``elsewhere.json`` of a framework's folder. No table shows them as measured, and no
contradiction is derived from them: what is measured here is the CPU of the pinned version.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from ..._io.record_file import FileKind
from ..frameworks.catalogue import FRAMEWORKS
from .documented import DocumentedProblem
from .properties import check, properties_of, property_of

__all__ = ["NAME", "ElsewhereFact", "facts", "files", "read", "words"]

NAME = "elsewhere.json"


@dataclass(frozen=True)
class ElsewhereFact:
    """One property of a framework's layers on another device, or in another version.

    Attributes
    ----------
    framework, kind, property : as of `Documented`. on : where it holds, such as ``a GPU``.
    value : in the vocabulary of `properties`. sentence : what is said, in our words.
    source : file, line and version, or reports by owner, repository and number, joined by ``; ``.
    """

    framework: str
    kind: str
    property: str
    on: str
    value: str | float
    sentence: str
    source: str


def words(fact: ElsewhereFact) -> str:
    """A fact for people."""
    title = property_of(fact.property).title
    return f"{fact.framework}, {fact.kind} norm on {fact.on}, documented: {title} {fact.value} ({fact.source})"


_FILE = FileKind(
    "varstudy-elsewhere",
    1,
    "file of conventions elsewhere",
    "install varstudy again, or take the file from its repository",
    {},
    DocumentedProblem,
    sealed=False,
)


def read(path: str | Path) -> list[ElsewhereFact]:
    """The facts of a file, in its order.

    Raises
    ------
    FileNotFoundError
        There is none.
    DocumentedProblem
        It cannot be read, or breaks a rule of the facts.
    """
    file = Path(path)
    shown = f"{file.parent.name}/{file.name}"
    found = []
    for number, given in enumerate(_FILE.read(file, shown)["rows"], 1):
        try:
            found.append(_fact(given))
        except ValueError as error:
            raise _FILE.edited(shown, ValueError(f"row {number}: {error}")) from error
    return found


def _fact(given: Any) -> ElsewhereFact:
    names = [each.name for each in fields(ElsewhereFact)]
    if not isinstance(given, dict) or set(given) != set(names):
        raise ValueError(f"its columns are not {', '.join(names)}")
    for name in names:
        if name != "value" and not (isinstance(given[name], str) and given[name]):
            raise ValueError(f"{name} is {given[name]!r}, which is no text")
    fact = ElsewhereFact(**given)
    if fact.framework not in FRAMEWORKS:
        raise ValueError(f"framework {fact.framework!r} is unknown")
    check(fact.property, fact.value)
    if fact.property not in {each.id for each in properties_of(fact.kind)}:
        raise ValueError(f"property {fact.property!r} is not asked of kind {fact.kind!r}")
    if not fact.sentence.endswith("."):
        raise ValueError(f"sentence {fact.sentence!r} has no full stop")
    return fact


def files() -> list[Path]:
    """The files of the frameworks' folders that have one."""
    folders = dict.fromkeys(each.folder for each in FRAMEWORKS.values())
    return [folder / NAME for folder in folders if (folder / NAME).is_file()]


@cache
def facts() -> tuple[ElsewhereFact, ...]:
    """The facts of all frameworks."""
    return tuple(each for path in files() for each in read(path))
