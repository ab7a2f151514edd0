"""Find what the folders of frameworks and libraries declare.

A framework is a folder in ``frameworks``, a library one in ``libraries``. A folder counts that has a ``facts.json``, or
a ``facts.py`` where what it declares has code. More are looked for in the places that the environment variable
VARSTUDY_SURVEY names, each a folder with ``frameworks`` and ``libraries`` in it, separated as in PATH. A folder there
adds to those of the package; it replaces none.
"""

from __future__ import annotations

import dataclasses
import json
import os
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["PLACES", "DiscoveryProblem", "declared", "folders", "places"]

HERE = Path(__file__).parent
PLACES = "VARSTUDY_SURVEY"
T = TypeVar("T")


class DiscoveryProblem(ValueError):
    """A folder that declares nothing that can be used: one sentence that names it."""


def places() -> tuple[Path, ...]:
    """The folders that are searched: the package's own first."""
    return (HERE, *(Path(each).absolute() for each in os.environ.get(PLACES, "").split(os.pathsep) if each))


def folders(kind: str, searched: Sequence[Path] | None = None) -> list[Path]:
    """The folders of a kind that have facts, by place and name.

    Parameters
    ----------
    kind : ``frameworks`` or ``libraries``. searched : in place of `places()`.
    """
    given = places() if searched is None else searched
    return [where for place in given for where in sorted({file.parent for file in (place / kind).glob("*/facts.*")})]


def declared(kind: str, wanted: type[T], searched: Sequence[Path] | None = None) -> list[T]:
    """What the folders of a kind declare, each with its folder, by its `order` and name.

    Parameters
    ----------
    kind : ``frameworks`` or ``libraries``; the list in a ``facts.py`` has this name in capitals.
    wanted : the class of what is declared; its ``of`` makes one of an object in the list of a ``facts.json``.
    searched : in place of `places()`.

    Raises
    ------
    DiscoveryProblem
        A file of facts cannot be run or read, has no such list, or declares a name that another folder has.
    """
    found: list[Any] = []
    for folder in folders(kind, searched):
        path = folder / "facts.json"
        path = path if path.is_file() else folder / "facts.py"
        for each in _list(path, kind.upper(), wanted):
            if any(each.name == other.name for other in found):
                raise DiscoveryProblem(f"{path} declares {each.name!r}, which another folder has already")
            found.append(dataclasses.replace(each, folder=folder))
    return sorted(found, key=lambda each: each.order)


def _list(path: Path, name: str, wanted: type[Any]) -> list[Any]:
    if path.suffix == ".json":
        try:
            return [wanted.of(each) for each in json.loads(path.read_text("utf-8"))]
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DiscoveryProblem(f"{path} cannot be used ({type(error).__name__}: {error})") from error
    try:
        given = runpy.run_path(str(path)).get(name)
    except Exception as error:
        raise DiscoveryProblem(f"{path} cannot be run ({type(error).__name__}: {error})") from error
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, wanted) for each in given):
        raise DiscoveryProblem(f"{path} has no list {name} of {wanted.__name__}")
    return list(given)
