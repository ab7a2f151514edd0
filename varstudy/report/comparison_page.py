"""Two runs in one page: whether it became worse, where and by how much, and then everything else that differs."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from .. import __version__
from .._io.atomic import write_whole
from ..study.changed_metrics import Side, Wording, named, summary, title
from ..study.comparison import Change, Comparison
from ..study.results import KEY, Results, reproduce
from .rendering import asset, environment, policy
from .words import clean, code, number

__all__ = ["render", "write"]

# Lines of each table that the page shows; the command's --json has all.
SHOWN = 1000
# Algorithms that are named above the lines themselves.
TOP = 8
# Of a longer list only what one of the runs alone has is shown.
LONG = 12
_ABSENT = "–"
_WORDING = Wording(number, "−")


def _setting(key: Sequence[Any]) -> str:
    named = dict(zip(KEY, key, strict=True))
    words = [f"{named['norm']} {named['groups']}" if named["groups"] else str(named["norm"])]
    words.append(f"{named['storage']} in {named['accumulator']}")
    if named["device"] != "cpu":
        words.append(f"{named['device']}, contraction {named['contraction']}")
    if named["correction"]:
        words.append(f"n−{named['correction']:g}")
    return clean(", ".join(words))


def _line(change: Change) -> dict[str, str]:
    """A change as the page tells it: of one metric, in one measurement."""
    before, after = _WORDING.both(change)
    return {
        "algorithm": code(named(change.key, "algorithm")),
        "change": _WORDING.moved(change),
        "before": before,
        "after": after,
        "metric": clean(title(change.metric)),
        "column": clean(change.metric),
        "case": code(named(change.key, "case")),
        "setting": _setting(change.key),
    }


def _part(side: Side, shared: Mapping[str, int]) -> dict[str, Any]:
    """The changes of one side: a line a measurement, by the metric that tells most, and a line a metric."""
    first: dict[str, Change] = {}
    for change in side.leading:
        first.setdefault(named(change.key, "algorithm"), change)
    key = "regressions" if side.worse else "improvements"
    return {
        "key": key,
        "title": key.capitalize(),
        "became": "worse" if side.worse else "better",
        "sign": "▼" if side.worse else "▲",
        "lines": [*map(_line, side.leading[:SHOWN])],
        "every": [*map(_line, [change for mine in side.measurements for change in mine][:SHOWN])],
        "total": len(side.measurements),
        "metrics": side.metrics,
        "failed": side.failed,
        "first_failed": side.first_failed and _line(side.first_failed),
        "farthest": side.farthest and _line(side.farthest),
        "algorithms": [
            (code(name), side.algorithms[name], shared.get(name, 0), _line(first[name])) for name in list(first)[:TOP]
        ],
        "named": len(first),
        "cases": side.cases,
    }


def _keys(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(zip(*(frame[name].tolist() for name in KEY), strict=True))


def _digits(frame: pd.DataFrame) -> dict[str, float]:
    own = frame[(frame["storage"] == frame["accumulator"]) & (frame["rows_scored"] > 0)]
    return dict(own.groupby("algorithm", sort=False)["var_digits_worst"].median())


def _changed(found: Comparison, column: str) -> tuple[Counter[str], Counter[str]]:
    """How many measurements became worse and better, by what a column names."""
    worse, better = (
        Counter(named(key, column) for key in {change.key for change in changes})
        for changes in (found.regressions, found.improvements)
    )
    return worse, better


def _algorithms(
    before: Results, after: Results, found: Comparison, shared: Mapping[str, int]
) -> list[tuple[Markup, str, str, str, int, int, int]]:
    """Each algorithm of either run: median digits in both, and how many of its measurements moved.

    The medians are over what both runs have: other measurements would be another scale. An algorithm of one run
    only has the median of that run.
    """
    medians = []
    for run, alone in ((before, set(found.missing)), (after, set(found.added))):
        kept = [key not in alone or named(key, "algorithm") not in shared for key in _keys(run.frame)]
        medians.append(_digits(run.frame[kept]))
    worse, better = _changed(found, "algorithm")
    there = [dict.fromkeys(map(str, run.frame["algorithm"])) for run in (before, after)]
    shown = []
    for name in {**there[0], **there[1]}:
        old, new = (median.get(name, math.nan) for median in medians)
        said = [
            "not measured"
            if name not in run
            else "–"
            if math.isnan(value)
            else _WORDING.figure("var_digits_worst", value)
            for value, run in zip((old, new), there, strict=True)
        ]
        shown.append(
            (
                code(name),
                said[0],
                said[1],
                _WORDING.median_moved(old, new),
                worse[name],
                better[name],
                shared.get(name, 0),
            )
        )
    return sorted(shown, key=lambda line: (-line[4], -line[5]))


def _maps(found: Comparison, seed: int) -> list[tuple[Markup, int, int, str]]:
    """Each feature map in which something changed, and the command that measures it again."""
    worse, better = _changed(found, "case")
    names = sorted({*worse, *better}, key=lambda name: (-worse[name], -better[name], name))
    return [(code(name), worse[name], better[name], clean(reproduce(name, seed))) for name in names]


# What two runs say of themselves: settings, versions, machine ---------------------------------------------------------


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {k: v for name, each in value.items() for k, v in _flat(each, f"{prefix}{name} ").items()}
    return {prefix.strip(): value}


def _run_facts(run: Results) -> dict[str, Any]:
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


def _apart(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
    """What differs: name, before, after; and what is the same: name, value."""
    names = [*old, *(name for name in new if name not in old)]
    pairs = [(name, old.get(name), new.get(name)) for name in names]
    differs = [str("" if x is None else x) != str("" if y is None else y) for _, x, y in pairs]
    return (
        [(clean(n), _text(n, x, y), _text(n, y, x)) for (n, x, y), d in zip(pairs, differs, strict=True) if d],
        [(clean(n), _text(n, x)) for (n, x, _), d in zip(pairs, differs, strict=True) if not d],
    )


def _key_facts(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Of what differs, that which may explain a difference: level, seed, choice of cases, versions and commit."""
    chosen = {
        name
        for name in (*old, *new)
        if name in ("settings level", "settings seed", "settings only", "commit", "cpu model", "system")
        or name.startswith("versions ")
    }
    differing, _ = _apart({k: old[k] for k in old if k in chosen}, {k: new[k] for k in new if k in chosen})
    return [
        (name.removeprefix("settings ").removeprefix("versions "), *((x[:12], y[:12]) if name == "commit" else (x, y)))
        for name, x, y in differing
    ]


# The page -------------------------------------------------------------------------------------------------------------


def render(
    before: Results, after: Results, found: Comparison, names: tuple[str, str], *, tolerance: float = 0.0
) -> str:
    """The page as one HTML document.

    Parameters
    ----------
    found : of `varstudy.study.comparison`.
    names : what the two runs are called.
    tolerance : relative changes below this were ignored in `found`.
    """
    seed = after.settings.get("seed", 0)
    seed = seed if isinstance(seed, int) else 0
    alone = set(found.missing)
    shared = Counter(named(key, "algorithm") for key in _keys(before.frame) if key not in alone)
    told = summary(found)
    parts = _part(told.regressions, shared), _part(told.improvements, shared)
    runs = _run_facts(before), _run_facts(after)
    facts, same = _apart(*runs)
    html = environment().get_template("comparison.html.j2").render(
        style=asset("style.css"),
        policy=policy("tables.js"),
        scripts=(asset("tables.js"),),
        version=__version__,
        before=clean(names[0]),
        after=clean(names[1]),
        verdict=told.verdict,
        shared=told.shared,
        unchanged=told.unchanged,
        twice=told.twice,
        tolerance=f"{100 * tolerance:g} %" if tolerance else "",
        parts=parts,
        shown=SHOWN,
        algorithms=_algorithms(before, after, found, shared),
        maps=_maps(found, seed),
        between=_key_facts(*runs),
        seeds=[run.get("settings seed", "–") for run in runs],
        facts=facts,
        same=same,
        only=(("before", names[0], found.missing), ("after", names[1], found.added)),
        setting=_setting,
        key=KEY,
    )  # fmt: skip
    return clean(html)


def write(
    before: Results,
    after: Results,
    found: Comparison,
    names: tuple[str, str],
    path: str | Path,
    *,
    tolerance: float = 0.0,
) -> Path:
    """Write the page, whole or not at all, and return its path.

    Raises
    ------
    OSError
        It cannot be written; what was there is left as it was.
    """
    target = Path(path)
    write_whole(target, render(before, after, found, names, tolerance=tolerance).encode())
    return target
