"""Names that people mistype, and what they meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(
    name: str,
    known: Iterable[str],
    fallback: str | None = None,
    *,
    cutoff: float = 0.5,
    count: int = 3,
    parts: bool = False,
) -> str:
    """Suggest known names for an unknown one: ``did you mean A or B?``.

    Parameters
    ----------
    name : what was typed. known : the names there are.
    fallback : the answer where none is near; by default ``use one of`` all of them.
    cutoff : how alike two names must be, from 0 to 1, as `difflib.get_close_matches` counts.
    count : at most so many suggestions.
    parts : whether names that contain what was typed come first.
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=count, cutoff=cutoff)
    if parts and name:
        near = [*(each for each in names if name.lower() in each.lower() and each not in near), *near][:count]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"use one of {', '.join(names)}" if fallback is None else fallback
