"""Two runs side by side in one page, regressions first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from .. import __version__
from ..files import write_whole
from ..results import KEY, reproduce
from .explorer import policy, script
from .words import clean, code, number

if TYPE_CHECKING:
    import pandas as pd

    from ..compare import Change, Comparison
    from ..results import Results

__all__ = ["render", "write"]

# Changed measurements of each kind that the page shows; the command's --json has all.
SHOWN = 1000


@dataclass(frozen=True)
class Line:
    """One measurement that changed: what it is, and each metric before and after."""

    case: Markup
    setting: str
    algorithm: Markup
    metrics: tuple[tuple[str, str, str], ...]
    command: str


@dataclass(frozen=True)
class Part:
    """The changes of one kind."""

    key: str
    title: str
    lines: tuple[Line, ...]
    total: int
    metrics: int


def _setting(key: Sequence[Any]) -> str:
    named = dict(zip(KEY, key, strict=True))
    words = [f"{named['norm']} {named['groups']}" if named["groups"] else str(named["norm"])]
    words.append(f"{named['storage']} in {named['accumulator']}")
    if named["device"] != "cpu":
        words.append(f"{named['device']}, contraction {named['contraction']}")
    if named["correction"]:
        words.append(f"n−{named['correction']:g}")
    return clean(", ".join(words))


def _part(key: str, title: str, changes: Sequence[Change], seed: int) -> Part:
    by_key: dict[tuple[Any, ...], list[Change]] = {}
    for change in changes:
        by_key.setdefault(change.key, []).append(change)
    lines = []
    for measurement, mine in list(by_key.items())[:SHOWN]:
        named = dict(zip(KEY, measurement, strict=True))
        lines.append(
            Line(
                code(named["case"]),
                _setting(measurement),
                code(named["algorithm"]),
                tuple((clean(c.metric), number(c.before, 5), number(c.after, 5)) for c in mine),
                clean(reproduce(str(named["case"]), seed)),
            )
        )
    return Part(key, title, tuple(lines), len(by_key), len(changes))


def _digits(frame: pd.DataFrame) -> pd.Series[float]:
    own = frame[(frame["storage"] == frame["accumulator"]) & (frame["rows_scored"] > 0)]
    return own.groupby("algorithm", sort=False)["var_digits_worst"].median()


def _algorithms(before: Results, after: Results, found: Comparison) -> list[tuple[Markup, str, str, int, int]]:
    """Each algorithm of either run: median digits in both, and how many of its measurements moved."""
    place = KEY.index("algorithm")
    worse, better = (
        [str(key[place]) for key in {change.key for change in changes}]
        for changes in (found.regressions, found.improvements)
    )
    old, new = _digits(before.frame), _digits(after.frame)
    names = [*old.index, *(name for name in new.index if name not in old.index)]
    shown = [
        (
            code(name),
            f"{old[name]:.2f}" if name in old.index else "not measured",
            f"{new[name]:.2f}" if name in new.index else "not measured",
            worse.count(name),
            better.count(name),
        )
        for name in names
    ]
    return sorted(shown, key=lambda line: (-line[3], -line[4]))


def _facts(before: Results, after: Results) -> list[tuple[str, str, str]]:
    """What both runs say of themselves where they differ."""

    def flat(value: Any, prefix: str = "") -> dict[str, str]:
        if isinstance(value, dict):
            return {k: v for name, each in value.items() for k, v in flat(each, f"{prefix}{name} ").items()}
        return {prefix.strip(): "" if value is None else str(value)}

    old, new = (flat({"settings": dict(r.settings), **dict(r.provenance)}) for r in (before, after))
    names = [*old, *(name for name in new if name not in old)]
    return [
        (clean(name), clean(old.get(name, "–")), clean(new.get(name, "–")))
        for name in names
        if old.get(name) != new.get(name)
    ]


def render(before: Results, after: Results, found: Comparison, names: tuple[str, str]) -> str:
    """The page as one HTML document.

    Parameters
    ----------
    found : of `varstudy.compare`. names : what the two runs are called.
    """
    from .page import environment, style  # noqa: PLC0415 - matplotlib takes a second to import

    seed = after.settings.get("seed", 0)
    seed = seed if isinstance(seed, int) else 0
    parts = (
        _part("regressions", "Regressions", found.regressions, seed),
        _part("improvements", "Improvements", found.improvements, seed),
    )
    html = environment().get_template("comparison.html.j2").render(
        style=style(),
        policy=policy("tables.js"),
        scripts=(script("tables.js"),),
        version=__version__,
        before=clean(names[0]),
        after=clean(names[1]),
        shared=found.shared,
        parts=parts,
        shown=SHOWN,
        algorithms=_algorithms(before, after, found),
        facts=_facts(before, after),
        only=((names[0], found.missing), (names[1], found.added)),
        setting=_setting,
        key=KEY,
    )  # fmt: skip
    return clean(html)


def write(before: Results, after: Results, found: Comparison, names: tuple[str, str], path: str | Path) -> Path:
    """Write the page, whole or not at all, and return its path.

    Raises
    ------
    OSError
        It cannot be written; what was there is left as it was.
    """
    target = Path(path)
    write_whole(target, render(before, after, found, names).encode())
    return target
