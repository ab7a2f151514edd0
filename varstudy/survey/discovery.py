"""Find what the folders of frameworks and libraries declare.

A framework is a folder in ``frameworks``, a library one in ``libraries``; a folder with a ``facts.py`` counts. More are
looked for in the places that the environment variable VARSTUDY_SURVEY names, each a folder with ``frameworks`` and
``libraries`` in it, separated as in PATH. A folder there adds to those of the package; it replaces none.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["PLACES", "DiscoveryProblem", "declared", "folders", "places"]

HERE = Path(__file__).parent
PLACES = "VARSTUDY_SURVEY"
FACTS = "facts.py"
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
    return [file.parent for place in given for file in sorted((place / kind).glob(f"*/{FACTS}"))]


def declared(kind: str, wanted: type[T], searched: Sequence[Path] | None = None) -> list[T]:
    """What the folders of a kind declare, each with its folder, by its `order` and name.

    Parameters
    ----------
    kind : ``frameworks`` or ``libraries``; the list in ``facts.py`` has this name in capitals.
    wanted : the class of what is declared. searched : in place of `places()`.

    Raises
    ------
    DiscoveryProblem
        A ``facts.py`` cannot be run, has no such list, or declares a name that another folder has.
    """
    found: list[Any] = []
    for folder in folders(kind, searched):
        given = _list(folder, kind.upper(), wanted)
        for each in given:
            if any(each.name == other.name for other in found):
                raise DiscoveryProblem(f"{folder / FACTS} declares {each.name!r}, which another folder has already")
            found.append(dataclasses.replace(each, folder=folder))
    return sorted(found, key=lambda each: each.order)


def _list(folder: Path, name: str, wanted: type[Any]) -> list[Any]:
    path = folder / FACTS
    spec = importlib.util.spec_from_file_location(f"varstudy_facts_{folder.parent.name}_{folder.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise DiscoveryProblem(f"{path} cannot be run ({type(error).__name__}: {error})") from error
    given = getattr(module, name, None)
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, wanted) for each in given):
        raise DiscoveryProblem(f"{path} has no list {name} of {wanted.__name__}")
    return list(given)
