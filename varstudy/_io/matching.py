"""Names that people type: which ones a pattern means, and which one was meant."""

from __future__ import annotations

import fnmatch

from varkernels.matching import nearest

__all__ = ["matches", "nearest"]


def matches(name: str, pattern: str) -> bool:
    """Whether a name matches a glob, or contains the pattern where it is none; upper and lower case are one."""
    name, pattern = name.lower(), pattern.lower()
    return fnmatch.fnmatchcase(name, pattern) if any(c in pattern for c in "*?[") else pattern in name
