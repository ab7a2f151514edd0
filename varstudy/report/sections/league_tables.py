"""The tables of the league: functions of libraries, layers of frameworks and our algorithms on the same rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from ...survey.league import layers, league_record
from ...survey.league.league_record import CaseResult, LeagueFact, LeagueProblem, LeagueRow
from ...survey.league.ranking import LeagueStanding, together
from ...survey.libraries.declaring import SHORT
from ..model.facts import decimal_digits, shade
from ..rendering import sentence
from ..words import clean, code, count, digits, listing
from .wide_tables import GROUP_TITLES

__all__ = [
    "PINNED",
    "LeagueLine",
    "LeagueTable",
    "divisor",
    "layers_table",
    "league_table",
    "pinned",
    "short_error",
]

_WORDS = (("raised", "raises"), ("neg", "neg"), ("nan", "NaN"), ("inf", "inf"))


@dataclass(frozen=True)
class LeagueLine:
    """One function, layer or algorithm: class and text of each cell, and what its bits are equal to."""

    ours: bool
    name: str
    remark: str
    cells: tuple[tuple[str, str], ...]
    equal: str | None = None


@dataclass(frozen=True)
class LeagueTable:
    """The league of one storage format.

    Attributes
    ----------
    full : the digits that the format has. groups : the groups of cases with a column each; None for a table without.
    notes : what the table shows.
    """

    storage: str
    full: str
    heads: tuple[str, ...]
    groups: tuple[str, ...] | None
    body: tuple[LeagueLine, ...]
    notes: tuple[Markup, ...]


@dataclass
class _Standing:
    """A standing, its row, and our algorithms that answer alike."""

    standing: LeagueStanding
    row: LeagueRow
    alike: list[str]


def _lines(content: Mapping[str, Any], storage: str) -> list[_Standing]:
    rows = {
        (row.function, row.library, row.threads): row for row in league_record.rows(content) if row.storage == storage
    }  # fmt: skip
    made_: list[_Standing] = []
    ours: dict[tuple[str, str, str], _Standing] = {}
    for each in together(content, storage, max_length=SHORT):
        row = rows[each.name, each.library, each.threads]
        key = (row.worst, row.median, row.marks)
        if each.ours and key in ours:
            ours[key].alike.append(each.name)
            continue
        made_.append(_Standing(each, row, []))
        if each.ours:
            ours[key] = made_[-1]
    return made_


def league_table(content: Mapping[str, Any], storage: str) -> LeagueTable:
    """The league of one storage format."""
    lines = _lines(content, storage)
    groups = list(dict.fromkeys(str(case["group"]) for case in content["cases"][storage] if case["values"] <= SHORT))
    known = {fact.function: fact for fact in league_record.facts(content)}
    return LeagueTable(
        clean(storage),
        f"{decimal_digits(storage):.1f}",
        ("Function", "place", "default divisor", "n = ddof", "wrong", "median", "fewest"),
        tuple(GROUP_TITLES.get(group, clean(group)) for group in groups),
        tuple(_row(line, groups, known.get(line.standing.name), content) for line in lines),
        _notes(lines),
    )


# What most people call: shown on the report's first page.
PINNED = (
    "numpy.var", "numpy.var dtype=float64", "numpy.var axis=0", "numpy.nanvar", "statistics.variance",
    "pandas.Series.var", "pandas.Series.var with bottleneck", "pandas.rolling.var", "polars.Series.var",
    "pyarrow.compute.variance", "duckdb.var_samp", "torch.var", "torch.var_mean", "jax.numpy.var", "tf.nn.moments",
    "scipy.stats.tvar", "sklearn.StandardScaler.fit", "cv2.meanStdDev, squared", "bottleneck.nanvar",
    "ClickHouse.varSamp",
)  # fmt: skip


def pinned(table: LeagueTable) -> LeagueTable:
    """The lines of well-known functions, and the best of our algorithms; without the columns of the groups."""
    seen: set[str] = set()
    kept = []
    for line in table.body:
        wanted = line.name in PINNED if not line.ours else "ours" not in seen
        if wanted and line.name not in seen:
            kept.append(replace(line, cells=line.cells[:6], equal=None))
            seen |= {line.name, "ours"} if line.ours else {line.name}
    return replace(table, groups=None, body=tuple(kept))


def layers_table(content: Mapping[str, Any]) -> LeagueTable | None:
    """The league of float32 with the frameworks' layers in it, by the variance that their outputs imply."""
    try:
        committed = layers.committed()
        lines = layers.ranked(content, committed)
    except (FileNotFoundError, LeagueProblem, KeyError):
        return None
    known = {fact.function for fact in layers.facts(committed)}
    theirs = [each for each in lines if each.name in known]
    if not theirs:
        return None
    body = tuple(
        LeagueLine(
            each.ours,
            each.name,
            "ours" if each.ours else clean(each.version),
            (
                ("", str(each.place)),
                ("", f"{each.wrong} of {each.cases}"),
                _shaded(each.digits_median, "float32"),
                _shaded(each.digits_worst, "float32"),
            ),
        )
        for each in lines
    )
    heads = ("Layer, function or algorithm", "place", "wrong", "median", "fewest")
    note = sentence("layers", theirs=theirs, longest=int(committed["settings"]["longest"]))
    return LeagueTable("float32", f"{decimal_digits('float32'):.1f}", heads, None, body, (note,))


def _row(line: _Standing, groups: Sequence[str], fact: LeagueFact | None, content: Mapping[str, Any]) -> LeagueLine:
    each, storage = line.standing, line.row.storage
    cases = [case for case in league_record.results(line.row, content) if case.length <= SHORT and case.scored]
    if each.ours:
        more = f" and {len(line.alike) - 3} more" if len(line.alike) > 3 else ""
        remark = f"ours; alike: {', '.join(line.alike[:3])}{more}" if line.alike else "ours"
    else:
        remark = each.version + ("" if "and" in each.threads else f" · threads: {each.threads} only")
    cells = (
        ("", str(each.place)),
        ("", "–" if each.ours else divisor(each.default_correction)),
        ("", "–" if fact is None else short_error(fact.at_correction)),
        ("", f"{each.wrong} of {each.cases}"),
        _shaded(each.digits_median, storage),
        _shaded(each.digits_worst, storage),
        *(_group([case for case in cases if case.group == group], storage) for group in groups),
    )
    return LeagueLine(each.ours, each.name, clean(remark), cells, _equal(line.row))


def _equal(row: LeagueRow) -> str:
    """What a row's bits say the function is, in few words."""
    if not row.equal:
        return ""
    if row.equal_count > len(names := row.equal.split("; ")):
        return f"one of {row.equal_count} that answer alike here"
    shown = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    return clean(shown + (f" up to {row.equal_up_to:,} values" if row.equal_up_to else ""))


def _shaded(value: float, storage: str, word: str = "") -> tuple[str, str]:
    if not word and value == -math.inf:
        word = "none"
    text = word or ("=" if value == math.inf else digits(value))
    return ("x" if word else shade(value, storage), text)


def _group(cases: Sequence[CaseResult], storage: str) -> tuple[str, str]:
    if not cases:
        return ("n", "")
    worst = min(case.digits for case in cases)
    marks = " ".join(case.marks for case in cases)
    word = next((shown for kind, shown in _WORDS if f"{kind} " in marks), "")
    return _shaded(worst, storage, word)


def divisor(text: str) -> str:
    """What a function divides by, by default."""
    return {"0": "n", "1": "n − 1", "": "–"}.get(text, clean(text.partition(":")[0]))


def short_error(text: str) -> str:
    """What was raised, by its type alone."""
    return clean(text.partition(":")[0] if text.startswith("raises ") else text)


def _notes(lines: Sequence[_Standing]) -> tuple[Markup, ...]:
    theirs = [line for line in lines if not line.standing.ours]
    ours = [line for line in lines if line.standing.ours]
    if not theirs:
        return ()
    functions = len({line.standing.name for line in theirs})
    notes = [sentence("league", functions=functions, best=theirs[0].standing, last=theirs[-1].standing)]
    if ours:
        ahead = [line for line in theirs if line.standing.place < ours[0].standing.place]
        notes.append(
            Markup("The best of our algorithms, {}, has place {}; {} better.").format(
                code(ours[0].standing.name), ours[0].standing.place,
                count(len(ahead), "function of a library does", "functions of libraries do") if ahead else "none does",
            )
        )  # fmt: skip
    identified = {line.standing.name for line in theirs if line.standing.identity}
    if identified:
        notes.append(
            Markup("{} of them are bit-identical to one of our algorithms, which identifies them.").format(
                len(identified)
            )
        )
    bad = [line.standing for line in theirs if line.row.negative]
    if bad:
        notes.append(
            Markup("Negative variances: {}.").format(
                listing([Markup("{} ({})").format(code(each.name), count(each.negative, "row")) for each in bad])
            )
        )
    return tuple(notes)
