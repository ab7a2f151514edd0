"""Names that people type: which ones a pattern means, and which one was meant."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable, Mapping

from varkernels import matching

__all__ = ["matches", "meant", "nearest", "unique"]

# Names that a sentence has of a pattern that means several.
SHOWN = 4


def matches(name: str, pattern: str) -> bool:
    """Whether a name matches a glob, or contains the pattern where it is none; upper and lower case are one."""
    name, pattern = name.lower(), pattern.lower()
    return fnmatch.fnmatchcase(name, pattern) if any(c in pattern for c in "*?[") else pattern in name


def meant(pattern: str, described: Mapping[str, str]) -> list[str]:
    """The names that a pattern means: the name itself, else parts of names, else words of descriptions.

    Parameters
    ----------
    pattern : a name, a part of one, a glob, or words that the description has, all of them.
    described : each name with its description.
    """
    typed = pattern.lower().strip()
    for same in (
        [name for name in described if name == pattern],
        [name for name, text in described.items() if typed in (name.lower(), text.lower())],
        [name for name in described if matches(name, pattern)],
    ):
        if same:
            return same
    words = typed.split()
    return [
        name
        for name, text in described.items()
        if matches(text, pattern) or all(word in f"{name} {text}".lower() for word in words)
    ]


def unique(pattern: str, described: Mapping[str, str], *, what: str, fallback: str) -> str:
    """The one name that a pattern means.

    Parameters
    ----------
    pattern, described : as for `meant`.
    what : what the names are of, such as ``case``.
    fallback : what to do where nothing resembles the pattern.

    Raises
    ------
    LookupError
        It means several, or none; the sentence names the nearest.
    """
    found = meant(pattern, described) if pattern.strip() else []
    # Of several, the one in which it begins a word: nnx is in onnx too, and means flax-nnx.
    begins = [name for name in found if re.search(rf"(?<![a-z0-9]){re.escape(pattern.lower())}", name.lower())]
    found = begins if len(begins) == 1 else found
    if len(found) == 1:
        return found[0]
    if not found:
        raise LookupError(f"{what} {pattern!r} is unknown: {nearest(pattern, described, fallback)}")
    shown = ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
    raise LookupError(f"{what} {pattern!r} can be {len(found)}: {shown}; name one of them")


def nearest(
    name: str, known: Iterable[str], fallback: str | None = None, *, cutoff: float = 0.65, count: int = 3
) -> str:
    """Suggest known names that resemble an unknown one, as a whole or in the part after the last stroke.

    Parameters
    ----------
    name, known, fallback, cutoff, count : as for `varkernels.matching.nearest`.
    """
    names = list(known)
    forms = {form: each for each in reversed(names) for form in (each.lower().rpartition("/")[2], each.lower())}
    near = difflib.get_close_matches(name.lower(), forms, n=count, cutoff=cutoff)
    alike = list(dict.fromkeys(forms[form] for form in near))
    if not alike and fallback is not None:
        return fallback
    return matching.nearest(name, alike or names, fallback, cutoff=0.0 if alike else 1.0, count=count)
