"""Names that people type: which ones a pattern means, and which one was meant."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable

__all__ = ["matches", "nearest"]


def matches(name: str, pattern: str) -> bool:
    """Whether a name matches a glob, or contains the pattern where it is none; upper and lower case are one."""
    name, pattern = name.lower(), pattern.lower()
    return fnmatch.fnmatchcase(name, pattern) if any(c in pattern for c in "*?[") else pattern in name


def nearest(name: str, known: Iterable[str], fallback: str, *, cutoff: float = 0.5) -> str:
    """``did you mean A or B?`` where something known is near, else the fallback."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=cutoff)
    return f"did you mean {' or '.join(near)}?" if near else fallback
