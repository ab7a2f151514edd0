"""What sources and documentation say of systems: ``systems.json`` of a framework's folder.

The facts are written by hand, with file, line and version, in the vocabulary of `System.properties`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from ..._io.record_file import FileKind
from ..frameworks.catalogue import FRAMEWORKS
from .catalogue import SYSTEMS
from .systems_record import SystemsProblem

__all__ = ["NAME", "DocumentedSystem", "documented"]

NAME = "systems.json"
_SOURCE = re.compile(r"\S+:\w+ at \S.*")
_FILE = FileKind(
    "varstudy-systems-documented",
    1,
    "file of documented facts on systems",
    "install varstudy again, or take the file from its repository",
    {},
    SystemsProblem,
    sealed=False,
)


@dataclass(frozen=True)
class DocumentedSystem:
    """One property as a source has it.

    Attributes
    ----------
    system, framework : their names. property, value : as in `System.properties`.
    sentence : what the source does, or what the documentation says otherwise, in our words; may be empty.
    source : ``file:line at version``, or the function in place of the line.
    """

    system: str
    framework: str
    property: str
    value: Any
    sentence: str
    source: str


def _fact(given: Any) -> DocumentedSystem:
    names = [each.name for each in fields(DocumentedSystem)]
    if not isinstance(given, dict) or set(given) != set(names):
        raise ValueError(f"its columns are not {', '.join(names)}")
    fact = DocumentedSystem(**given)
    if fact.system not in SYSTEMS:
        raise ValueError(f"system {fact.system!r} is unknown")
    SYSTEMS[fact.system].check(fact.property, fact.value)
    if fact.framework not in FRAMEWORKS:
        raise ValueError(f"framework {fact.framework!r} is unknown")
    if fact.sentence and not fact.sentence.endswith("."):
        raise ValueError(f"sentence {fact.sentence!r} has no full stop")
    if not _SOURCE.fullmatch(fact.source):
        raise ValueError(f"source {fact.source!r} is not file:line at version")
    return fact


@cache
def documented() -> tuple[DocumentedSystem, ...]:
    """The facts of all frameworks, in the order of FRAMEWORKS.

    Raises
    ------
    SystemsProblem
        A file cannot be read, or breaks a rule of the facts.
    """
    found: list[DocumentedSystem] = []
    for folder in dict.fromkeys(each.folder for each in FRAMEWORKS.values()):
        file = folder / NAME
        if not file.is_file():
            continue
        shown = f"{folder.name}/{NAME}"
        for number, given in enumerate(_FILE.read(file, shown)["rows"], 1):
            try:
                found.append(_fact(given))
            except (TypeError, ValueError) as error:
                raise _FILE.edited(shown, ValueError(f"row {number}: {error}")) from error
    return tuple(found)
