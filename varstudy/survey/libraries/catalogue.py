"""The functions of the league: one folder a library, with its facts and its adapter."""

from __future__ import annotations

from ..._io.matching import matches, nearest
from ..discovery import declared
from .declaring import Function, Library

__all__ = ["FUNCTIONS", "LIBRARIES", "Function", "Library", "chosen"]

LIBRARIES: tuple[Library, ...] = tuple(declared("libraries", Library))
FUNCTIONS: dict[str, Function] = {each.name: each for library in LIBRARIES for each in library.functions()}


def chosen(only: str | None) -> list[Function]:
    """The functions whose name or library matches a glob or contains the text; all without one.

    Parameters
    ----------
    only : the glob or the text, upper and lower case one; None for all.

    Raises
    ------
    ValueError
        None does; the sentence suggests near names.
    """
    found = [
        each for each in FUNCTIONS.values() if only is None or matches(each.name, only) or matches(each.library, only)
    ]
    if not found:
        names = [*FUNCTIONS, *dict.fromkeys(each.library for each in FUNCTIONS.values())]
        hint = nearest(only or "", names, "'python -m varstudy libraries --list' names all")
        raise ValueError(f"{only!r} matches no function or library: {hint}")
    return found
