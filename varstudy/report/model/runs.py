"""What two runs say of themselves, side by side: settings, versions, machine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..words import clean

if TYPE_CHECKING:
    from ...study.results import Results

__all__ = ["apart", "key_facts", "run_facts"]

# Of a longer list only what one of the runs alone has is shown.
LONG = 12
_ABSENT = "–"


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {k: v for name, each in value.items() for k, v in _flat(each, f"{prefix}{name} ").items()}
    return {prefix.strip(): value}


def run_facts(run: Results) -> dict[str, Any]:
    """A run's settings and provenance, flat: a name of words each."""
    return _flat({"settings": dict(run.settings), **dict(run.provenance)})


def _text(name: str, value: Any, other: Any = None) -> str:
    if value is None or value == "":
        return _ABSENT
    if not isinstance(value, (list, tuple)):
        return clean(value)
    words = [str(item) for item in value]
    if name == "command":
        return clean(shlex.join(words))
    if len(words) <= LONG:
        return clean(", ".join(words))
    if not isinstance(other, (list, tuple)):
        return f"{len(words)} of them"
    known = {str(item) for item in other}
    alone = [word for word in words if word not in known]
    return clean(f"{len(words)} of them" + (f"; only here: {', '.join(alone)}" if alone else ""))


def apart(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
    """What differs: name, before, after; and what is the same: name, value."""
    names = [*old, *(name for name in new if name not in old)]
    pairs = [(name, old.get(name), new.get(name)) for name in names]
    differs = [str("" if x is None else x) != str("" if y is None else y) for _, x, y in pairs]
    return (
        [(clean(n), _text(n, x, y), _text(n, y, x)) for (n, x, y), d in zip(pairs, differs, strict=True) if d],
        [(clean(n), _text(n, x)) for (n, x, _), d in zip(pairs, differs, strict=True) if not d],
    )


def key_facts(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Of what differs, that which may explain a difference: level, seed, choice of cases, versions and commit."""
    chosen = {
        name
        for name in (*old, *new)
        if name in ("settings level", "settings seed", "settings only", "commit", "cpu model", "system")
        or name.startswith("versions ")
    }
    differing, _ = apart({k: old[k] for k in old if k in chosen}, {k: new[k] for k in new if k in chosen})
    return [
        (name.removeprefix("settings ").removeprefix("versions "), *((x[:12], y[:12]) if name == "commit" else (x, y)))
        for name, x, y in differing
    ]
