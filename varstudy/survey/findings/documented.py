"""What the documentation of the frameworks says of their normalisation layers, what their source says, and where.

The facts are written by hand, in ``documented.json`` of each framework's folder, in the vocabulary of `properties`, so
that a program can compare them with what was measured.
"""

from __future__ import annotations

import ctypes
import json
import math
import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from ..._io.record_file import FileKind
from ..frameworks.catalogue import FRAMEWORKS, find
from .comparing import same_but_for_numbers
from .properties import FindingStatus, check, properties_of

__all__ = [
    "FORMAT",
    "NAME",
    "SCHEMA_VERSION",
    "Documented",
    "DocumentedProblem",
    "Measured",
    "committed",
    "contradicts",
    "contradicts_source",
    "facts",
    "files",
    "lookup",
    "read",
]

FORMAT = "varstudy-documented"
SCHEMA_VERSION = 1
NAME = "documented.json"
_SOURCE = re.compile(r"\S+:[1-9]\d* at \S.*")

# How well a number is known that was solved from outputs in float32, relative.
MEASURED = 2.0**-20

Value = str | float | int | list[float] | None


class DocumentedProblem(ValueError):
    """Facts that cannot be read: one sentence that says what to do."""


_FILE = FileKind(
    FORMAT,
    SCHEMA_VERSION,
    "file of documented facts",
    "install varstudy again, or take the file from its repository",
    {},
    DocumentedProblem,
    sealed=False,
)


@dataclass(frozen=True)
class Documented:
    """One fact: what is said of one property of one layer.

    Attributes
    ----------
    framework, kind, property : as in `frameworks` and `properties`.
    variant : the adapter's name of an input rank, a layout or an opset; empty where the fact is of all variants that
        have none of their own.
    value : the documentation's, None where it fixes none.
    sentence : what the documentation says, in our words.
    where : title and version of the page or docstring, and its address, or its file and line.
    source_value : the source's; None where it was not read, or fixes none.
    source : ``file:line at version``, several joined by ``; ``; empty where the source was not read.
    """

    framework: str
    kind: str
    variant: str
    property: str
    value: Value
    sentence: str
    where: str
    source_value: Value
    source: str


class Measured(Protocol):
    """A measured finding, such as a `FindingRow`: its value as JSON text, and its status."""

    @property
    def value(self) -> str:
        """JSON; empty where there is none."""

    @property
    def status(self) -> str:
        """``measured`` where the value counts."""


def read(path: str | Path) -> list[Documented]:
    """The facts of a file, in its order.

    Parameters
    ----------
    path : a file such as one of `files`.

    Raises
    ------
    FileNotFoundError
        There is none.
    DocumentedProblem
        It cannot be read, has another version, or breaks a rule of the facts.
    """
    file = Path(path)
    shown = f"{file.parent.name}/{file.name}"  # each framework's folder has a file of this name
    content = _FILE.read(file, shown)
    found: dict[tuple[str, ...], Documented] = {}
    try:
        for number, given in enumerate(content["rows"], 1):
            try:
                fact = _fact(given)
            except ValueError as error:
                raise ValueError(f"row {number}: {error}") from error
            key = (fact.framework, fact.kind, fact.variant, fact.property)
            if key in found:
                raise ValueError(f"row {number}: {', '.join(each or 'all variants' for each in key)} is there twice")
            found[key] = fact
    except (ValueError, RecursionError) as error:
        raise _FILE.edited(shown, error) from error
    return list(found.values())


def _fact(given: Any) -> Documented:
    names = [each.name for each in fields(Documented)]
    if not isinstance(given, dict) or set(given) != set(names):
        raise ValueError(f"its columns are not {', '.join(names)}")
    for name in names:
        if name not in ("value", "source_value") and not isinstance(given[name], str):
            raise ValueError(f"{name} is {given[name]!r}, which is no text")
    fact = Documented(**given)
    if fact.framework not in FRAMEWORKS:
        raise ValueError(f"framework {fact.framework!r} is unknown")
    for value in (fact.value, fact.source_value):
        check(fact.property, value)
    if fact.property not in {each.id for each in properties_of(fact.kind)}:
        raise ValueError(f"property {fact.property!r} is not asked of kind {fact.kind!r}")
    if not fact.sentence.endswith("."):
        raise ValueError(f"sentence {fact.sentence!r} has no full stop")
    if not fact.where:
        raise ValueError(f"{fact.sentence!r} has no place where it stands")
    if not all(_SOURCE.fullmatch(each) for each in fact.source.split("; ") if fact.source):
        raise ValueError(f"source {fact.source!r} is not file:line at version")
    if fact.source_value is not None and not fact.source:
        raise ValueError(f"source_value {fact.source_value!r} has no source")
    return fact


def files() -> list[Path]:
    """The files of the frameworks' folders that have one, in the order of FRAMEWORKS."""
    folders = dict.fromkeys(each.folder for each in FRAMEWORKS.values())
    return [folder / NAME for folder in folders if (folder / NAME).is_file()]


def committed() -> list[Documented]:
    """The facts of all frameworks, read now.

    Raises
    ------
    FileNotFoundError, DocumentedProblem
        As for `read`, of one of `files`.
    """
    return [each for path in files() for each in read(path)]


@cache
def _known() -> dict[tuple[str, str, str, str], Documented]:
    return {(each.framework, each.kind, each.variant, each.property): each for each in committed()}


def facts(framework: str | None = None) -> list[Documented]:
    """The facts in the folders of one framework or of all, in the order of FRAMEWORKS.

    Parameters
    ----------
    framework : a name as `frameworks.find` takes it, which raises ValueError for others; None for all.

    Raises
    ------
    FileNotFoundError, DocumentedProblem
        As for `read`, of one of `files`.
    """
    name = None if framework is None else find(framework).name
    return [each for each in _known().values() if name in (None, each.framework)]


def lookup(framework: str, kind: str, variant: str, property: str) -> Documented | None:
    """The fact of a variant, or else that of all variants; None where nothing is known.

    Parameters
    ----------
    framework : a name as `frameworks.find` takes it, which raises ValueError for others.
    kind, variant, property : as in `Documented`; of words that are in no fact, nothing is known.

    Raises
    ------
    FileNotFoundError, DocumentedProblem
        As for `read`, of one of `files`.
    """
    name, known = find(framework).name, _known()
    return known.get((name, kind, variant, property)) or known.get((name, kind, "", property))


def contradicts(documented: Documented, finding: Measured) -> bool | None:
    """Whether documentation and measurement differ; None where either has no value.

    Numbers are the same within 2^-20 of them: what is solved from outputs in float32 is known no better.

    Parameters
    ----------
    documented : the fact, of which `value` counts.
    finding : what was measured of the same property; a finding of another status than ``measured`` has no value.
    """
    if finding.status != FindingStatus.MEASURED or not finding.value:
        return None
    return _differ(documented.value, json.loads(finding.value), MEASURED)


def contradicts_source(documented: Documented) -> bool | None:
    """Whether documentation and source differ; None where either has no value.

    Numbers are the same if they are equal, or become the same float32: a default that someone wrote in decimals may be
    kept in that format.

    Parameters
    ----------
    documented : the fact, whose `value` and `source_value` are compared.
    """
    return _differ(documented.value, documented.source_value)


def _differ(documented_value: Any, found: Any, tolerance: float = 0.0) -> bool | None:
    if documented_value is None or found is None:
        return None

    def near(a: float, b: float) -> bool:
        alike = math.isclose(a, b, rel_tol=tolerance, abs_tol=0.0)
        return alike or ctypes.c_float(a).value == ctypes.c_float(b).value

    return not same_but_for_numbers(documented_value, found, near)
