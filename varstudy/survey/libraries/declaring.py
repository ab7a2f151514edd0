"""What the ``facts.json`` of a library's folder declares: the library, and how each of its functions is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from varkernels.enums import StrEnum
from varkernels.storages import STORAGES, WIDE

from ..environments import Environment
from ..environments.shared import described

__all__ = ["ALL", "LONG", "NUMPY", "SHORT", "WIDE", "Call", "Eats", "Function", "Library"]


class Eats(StrEnum):
    """What a function gets in one call: a row of one dimension, or a matrix whose rows or columns it reduces."""

    ROW = "row"
    ROWS = "rows"
    COLUMNS = "columns"


# The formats that a function takes.
ALL = STORAGES
NUMPY = ("float16", *WIDE)

# The longest rows that a function gets: as many values as a loop over Python's floats gets through in seconds, and all.
SHORT = 20_000
LONG = 70_000

# What a facts.json may write by name.
NAMED: dict[str, Mapping[str, Any]] = {
    "eats": {each.value: each for each in Eats},
    "storages": {"all": ALL, "wide": WIDE},
    "max_length": {"short": SHORT},
}


def _attributes(facts: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
    return {name: NAMED[name][v] if name in NAMED and isinstance(v, str) else v for name, v in found.items()}


@dataclass(frozen=True)
class Call:
    """One way to call a function of a library.

    Attributes
    ----------
    key : its entry in the adapter. name : as its users write it; by default the library's name and the key.
    eats : what it gets in one call. storages : the formats that its values may have; by default the library's.
    max_length : it gets no longer rows. note : one sentence on how it is called, where that is not plain.
    code : the call as an expression of ``x``, for a script of its own, with {storage} for the format; may be empty.
    """

    key: str
    name: str = ""
    eats: Eats = Eats.ROW
    storages: tuple[str, ...] = ()
    max_length: int = LONG
    note: str = ""
    code: str = ""


@dataclass(frozen=True)
class Library:
    """A library as its folder declares it.

    Attributes
    ----------
    name : for people. runs_in : its isolated environment; None where it needs a GPU.
    calls : the functions. storages : the formats that they take where they name no others.
    imports : lines before a call's `code`. gpu : whether it needs a GPU. server : whether its adapter starts a server.
    needs, without : modules that must be installed, and those that must not, apart from what the adapter imports.
    order : its place in tables; equal places go as they are declared.
    folder : where its ``adapter.py`` is; discovery fills it in.
    """

    name: str
    runs_in: Environment | None
    calls: Sequence[Call]
    storages: tuple[str, ...] = NUMPY
    imports: tuple[str, ...] = ()
    gpu: bool = False
    server: bool = False
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    order: int = 1000
    folder: Path = Path()

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Library:
        """A library from ``facts.json``: an object with the attributes that are not the defaults.

        ``calls`` maps the key of each call to its other attributes. ``storages`` may be ``all`` or ``wide``, and
        ``max_length`` may be ``short``.
        """
        calls = [Call(key, **_attributes(call)) for key, call in facts["calls"].items()]
        return cls(**{**_attributes(facts), "runs_in": described(facts.get("runs_in")), "calls": calls})

    def functions(self) -> Iterator[Function]:
        """Its functions, in the order of `calls`."""
        for call in self.calls:
            yield Function(
                call.name or f"{self.name}.{call.key}",
                self,
                call.key,
                call.eats,
                call.storages or self.storages,
                call.max_length,
                call.note,
                call.code,
            )


@dataclass(frozen=True)
class Function:
    """A variance of a library.

    Attributes
    ----------
    name : the library's name and the function's, as its users write it. belongs_to : the library.
    key, eats, storages, max_length, note, code : as of `Call`.
    """

    name: str
    belongs_to: Library
    key: str
    eats: Eats = Eats.ROW
    storages: tuple[str, ...] = NUMPY
    max_length: int = LONG
    note: str = ""
    code: str = ""

    @property
    def library(self) -> str:
        """The library's name."""
        return self.belongs_to.name

    @property
    def environment(self) -> str:
        """The name of the library's isolated environment; the library's own where it needs a GPU."""
        return self.belongs_to.runs_in.name if self.belongs_to.runs_in else self.library

    @property
    def adapter(self) -> Path:
        """The path of the library's adapter."""
        return self.belongs_to.folder / "adapter.py"
