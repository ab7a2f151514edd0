"""The frameworks that are known: one folder each, with its facts, its adapter and what its documentation says."""

from __future__ import annotations

from collections.abc import Iterable

from ..._io.matching import nearest
from ..discovery import declared
from ..environments import Environment
from .declaring import Framework

__all__ = ["ENVIRONMENTS", "FRAMEWORKS", "Framework", "find", "named"]

FRAMEWORKS: dict[str, Framework] = {each.name: each for each in declared("frameworks", Framework)}
# The isolated environments in which they run.
ENVIRONMENTS: dict[str, Environment] = {each.environment: each.runs_in for each in FRAMEWORKS.values() if each.runs_in}


def find(name: str) -> Framework:
    """A framework by its name.

    Parameters
    ----------
    name : a key of FRAMEWORKS; upper and lower case are one.

    Raises
    ------
    ValueError
        There is none of this name; the sentence has the nearest.
    """
    if name in FRAMEWORKS:
        return FRAMEWORKS[name]
    for known, framework in FRAMEWORKS.items():
        if known.lower() == name.lower():
            return framework
    hint = "'python -m varstudy frameworks --list' names all"
    raise ValueError(f"framework {name!r} is unknown: {nearest(name.lower(), FRAMEWORKS, hint)}")


def named(names: Iterable[str]) -> list[Framework]:
    """The frameworks of some names, each once; the name of an environment stands for all that run in it.

    Parameters
    ----------
    names : of frameworks, as `find` takes them, and of environments; a framework goes before an environment of its
        name.

    Raises
    ------
    ValueError
        A name is unknown; the sentence has the nearest.
    """
    found: list[Framework] = []
    for name in names:
        alike = [each for each in FRAMEWORKS.values() if each.environment == name]
        found += alike if alike and name not in FRAMEWORKS else [find(name)]
    return list({each.name: each for each in found}.values())
