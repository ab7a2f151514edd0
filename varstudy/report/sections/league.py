"""The section on libraries: the league of variance functions, with our algorithms on the same rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ...survey.league import layers, league_record
from ...survey.league.catalogue import SHORT
from ...survey.league.comparing import compare
from ...survey.league.league_record import OURS, CaseResult, Fact, LeagueProblem, Row
from ...survey.league.ranking import Standing, together
from ..model.facts import decimal_digits
from ..words import clean, code, count, digits, listing, number
from .layers_heat import shade
from .wide_table import GROUP_TITLES

__all__ = ["Libraries", "Table", "anew", "libraries"]

_WORDS = (("raised", "raises"), ("neg", "neg"), ("nan", "NaN"), ("inf", "inf"))


@dataclass(frozen=True)
class Table:
    """The league of one storage format: the inside of its table, its lines, and what they show."""

    storage: str
    full: str
    lines: int
    table: Markup
    notes: tuple[Markup, ...]


@dataclass(frozen=True)
class Libraries:
    """The section; or why there is none: `problem`, empty where it was never measured.

    Attributes
    ----------
    lead : who measured what, in sentences. tables : one a storage format, float32 first.
    facts : cells of what each function is. absent : what was not measured, refused or failed, and why.
    """

    problem: str = ""
    lead: tuple[Markup, ...] = ()
    tables: tuple[Table, ...] = ()
    facts: tuple[tuple[str, ...], ...] = ()
    absent: tuple[tuple[str, str], ...] = ()
    layers: Table | None = None
    longest: str = f"{SHORT:,}"


# Changes of a league measured anew that are told in words.
SHOWN = 12


def anew(folder: Path) -> dict[str, Any] | str | None:
    """The content of a league.json in a folder; a sentence where it cannot be used, None where there is none."""
    try:
        return league_record.read(folder)
    except FileNotFoundError:
        return None
    except LeagueProblem as problem:
        return str(problem)


def libraries(fresh: Mapping[str, Any] | str | None = None) -> Libraries:
    """The section of the committed league, or of one that was measured anew as a whole; of a part that was measured
    anew, what it changes.

    Parameters
    ----------
    fresh : what `anew` gives.
    """
    if isinstance(fresh, str):
        return Libraries(problem=clean(fresh).rstrip("."))
    if fresh is not None and _whole(fresh):
        return made(fresh, "measured anew")
    try:
        there = league_record.COMMITTED.stat()
    except OSError:
        return Libraries() if fresh is None else made(fresh, "measured anew")
    found = _committed(str(league_record.COMMITTED), there.st_mtime_ns, there.st_size)
    if fresh is None or found.problem:
        return found
    return replace(found, lead=(*found.lead, *_here(league_record.committed(), fresh)))


def _whole(content: Mapping[str, Any]) -> bool:
    """Whether a league can stand for itself: all the cases, and our algorithms on the same."""
    return content["settings"].get("level") != "quick" and any(
        row.library == OURS for row in league_record.rows(content)
    )


def _here(committed: Mapping[str, Any], fresh: Mapping[str, Any]) -> tuple[Markup, ...]:
    """What was measured anew beside this report, and what it changes."""
    measured = [fact for fact in league_record.facts(fresh) if fact.status == "measured"]
    if not measured:
        return ()
    versions = dict.fromkeys(version for fact in measured for version in fact.version.split(", ") if version)
    changes = compare(committed, fresh)
    text = Markup("Measured anew on this machine, on the smallest set of cases: {} ({}).").format(
        count(len(measured), "function"), clean(", ".join(versions))
    )
    if not changes:
        return (text + Markup(" Nothing differs from what is committed."),)
    told = [
        Markup("{}: {} was {}, is {}").format(
            code(each.function), clean(f"{each.what} {each.storage}".strip()), clean(each.before), clean(each.after)
        )
        for each in changes[:SHOWN]
    ]
    more = len(changes) - len(told)
    return (
        text + Markup(" From what is committed {}: ").format(count(len(changes), "thing differs", "things differ")),
        Markup("{}{}.").format(Markup("; ").join(told), f"; and {more} more" if more else ""),
    )


@lru_cache(maxsize=2)
def _committed(path: str, changed: int, size: int) -> Libraries:
    """Made once as long as the file stays the same."""
    try:
        return made(league_record.read(path), "as committed")
    except LeagueProblem as problem:
        return Libraries(problem=clean(problem).rstrip("."))


def made(content: Mapping[str, Any], state: str) -> Libraries:
    """The section of a league's content."""
    storages = sorted(content["cases"], key=lambda name: name != "float32")
    known = league_record.facts(content)
    tables = [_table(content, storage) for storage in storages]
    return Libraries(
        lead=_lead(content, known, state),
        tables=tuple(table for table in tables if table.lines),
        facts=_facts(known),
        absent=_absent(content, known),
        layers=_with_layers(content),
    )


# The league -----------------------------------------------------------------------------------------------------------


@dataclass
class _Line:
    """A standing, its row, and algorithms of ours that answer alike."""

    standing: Standing
    row: Row
    alike: list[str]


def _lines(content: Mapping[str, Any], storage: str) -> list[_Line]:
    rows = {
        (row.function, row.library, row.threads): row for row in league_record.rows(content) if row.storage == storage
    }  # fmt: skip
    made_: list[_Line] = []
    ours: dict[tuple[str, str, str], _Line] = {}
    for each in together(content, storage, max_length=SHORT):
        row = rows[each.name, each.library, each.threads]
        key = (row.worst, row.median, row.marks)
        if each.ours and key in ours:
            ours[key].alike.append(each.name)
            continue
        made_.append(_Line(each, row, []))
        if each.ours:
            ours[key] = made_[-1]
    return made_


def _table(content: Mapping[str, Any], storage: str) -> Table:
    lines = _lines(content, storage)
    groups = list(dict.fromkeys(str(case["group"]) for case in content["cases"][storage] if case["values"] <= SHORT))
    known = {fact.function: fact for fact in league_record.facts(content)}
    heads = ("place", "unasked", "n = ddof", "no digit right", "median", "fewest")
    top = Markup("").join(Markup('<th scope="col" rowspan="2">{}</th>').format(word) for word in ("Function", *heads))
    bottom = Markup("").join(
        Markup('<th scope="col">{}</th>').format(GROUP_TITLES.get(group, clean(group))) for group in groups
    )
    body = Markup("").join(_row(line, groups, known.get(line.standing.name), content) for line in lines)
    table = Markup(
        '<thead><tr>{}<th scope="colgroup" colspan="{}">digits at the worst row of</th>'
        '<th scope="col" rowspan="2">bit-equal to</th></tr><tr>{}</tr></thead><tbody>{}</tbody>'
    ).format(top, max(1, len(groups)), bottom, body)
    return Table(clean(storage), f"{decimal_digits(storage):.1f}", len(lines), table, _notes(lines))


def _with_layers(content: Mapping[str, Any]) -> Table | None:
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
    body = Markup("").join(
        Markup("<tr{}><th scope=row>{} <small>{}</small></th><td>{}</td><td>{} of {}</td>{}{}</tr>").format(
            Markup(" class=ours") if each.ours else "", code(each.name),
            "ours" if each.ours else clean(each.version), each.place, each.wrong, each.cases,
            _shaded(each.digits_median, "float32"), _shaded(each.digits_worst, "float32"),
        )
        for each in lines
    )  # fmt: skip
    heads = ("Layer, function or algorithm", "place", "no digit right", "median", "fewest")
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(word) for word in heads)
    table = Markup("<thead><tr>{}</tr></thead><tbody>{}</tbody>").format(head, body)
    best, worst = theirs[0], theirs[-1]
    note = Markup(
        "{} of {} on the same rows of up to {} values; rows of one length are the channels, samples or groups of one "
        "input. Outputs in float32 tell a variance to about 6 digits, and a layer’s error is never shown smaller. Each "
        "is judged on the cases that it can be: equal values, variances that epsilon hides and outputs too rough to "
        "show a digit tell nothing. Of the layers the best is {} ({} of {} cases without a correct digit), the worst "
        "{} ({} of {})."
    ).format(
        count(len(theirs), "layer"), count(len({each.library for each in theirs}), "framework"),
        f"{int(committed['settings']['longest']):,}", code(best.name), best.wrong, best.cases, code(worst.name),
        worst.wrong, worst.cases,
    )  # fmt: skip
    return Table("float32", f"{decimal_digits('float32'):.1f}", len(lines), table, (note,))


def _row(line: _Line, groups: Sequence[str], fact: Fact | None, content: Mapping[str, Any]) -> Markup:
    each, storage = line.standing, line.row.storage
    cases = [case for case in league_record.results(line.row, content) if case.length <= SHORT and case.scored]
    if each.ours:
        more = "alike: " + ", ".join(line.alike[:3]) if line.alike else ""
        more += f" and {len(line.alike) - 3} more" if len(line.alike) > 3 else ""
        name = Markup("{} <small>ours{}</small>").format(
            code(each.name), Markup("; {}").format(clean(more)) if more else ""
        )
    else:
        threads = "" if "and" in each.threads else f" · threads: {each.threads} only"
        name = Markup("{} <small>{}{}</small>").format(code(each.name), clean(each.version), clean(threads))
    cells = [
        Markup("<td>{}</td>").format(each.place),
        Markup("<td>{}</td>").format(_ddof(each.default_correction) if not each.ours else "–"),
        Markup("<td>{}</td>").format(_short(fact.at_correction) if fact is not None else "–"),
        Markup("<td>{} of {}</td>").format(each.wrong, each.cases),
        _shaded(each.digits_median, storage),
        _shaded(each.digits_worst, storage),
        *(_group([case for case in cases if case.group == group], storage) for group in groups),
    ]
    return Markup("<tr{}><th scope=row>{}</th>{}<td>{}</td></tr>").format(
        Markup(" class=ours") if each.ours else "", name, Markup("").join(cells), _told(line.row)
    )


def _told(row: Row) -> str:
    """What a row's bits say the function is, in few words."""
    if not row.equal:
        return ""
    if row.equal_count > len(names := row.equal.split("; ")):
        return f"one of {row.equal_count} that answer alike here"
    shown = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    return clean(shown + (f" up to {row.equal_up_to:,} values" if row.equal_up_to else ""))


def _shaded(value: float, storage: str, word: str = "") -> Markup:
    if not word and value == -math.inf:
        word = "none"
    css = "x" if word else shade(value, storage)
    text = word or ("=" if value == math.inf else digits(value))
    return Markup("<td class={}>{}</td>").format(css, text)


def _group(cases: Sequence[CaseResult], storage: str) -> Markup:
    if not cases:
        return Markup("<td class=n></td>")
    worst = min(case.digits for case in cases)
    marks = " ".join(case.marks for case in cases)
    word = next((shown for kind, shown in _WORDS if f"{kind} " in marks), "")
    return _shaded(worst, storage, word)


def _ddof(text: str) -> str:
    """What a function divides by unasked."""
    return {"0": "n", "1": "n − 1", "": "–"}.get(text, clean(text.partition(":")[0]))


def _short(text: str) -> str:
    """What was raised, by its type alone."""
    return clean(text.partition(":")[0] if text.startswith("raises ") else text)


def _notes(lines: Sequence[_Line]) -> tuple[Markup, ...]:
    theirs = [line for line in lines if not line.standing.ours]
    ours = [line for line in lines if line.standing.ours]
    if not theirs:
        return ()
    best, last = theirs[0].standing, theirs[-1].standing
    notes = [
        Markup(
            "Of {} the first is {} (place {}, {} of {} without a correct digit, {} in the median), the last {} "
            "({} of {}, {} in the median)."
        ).format(
            count(len({line.standing.name for line in theirs}), "function of a library", "functions of libraries"),
            code(best.name), best.place,
            best.wrong, count(best.cases, "case"), digits(best.digits_median), code(last.name), last.wrong,
            count(last.cases, "case"), digits(last.digits_median),
        )
    ]  # fmt: skip
    if ours:
        ahead = [line for line in theirs if line.standing.place < ours[0].standing.place]
        notes.append(
            Markup("The best of our algorithms, {}, has place {}; {} better.").format(
                code(ours[0].standing.name), ours[0].standing.place,
                count(len(ahead), "function of a library does", "functions of libraries do") if ahead else "none does",
            )
        )  # fmt: skip
    told = {line.standing.name for line in theirs if line.standing.told}
    if told:
        notes.append(
            Markup("{} of them answer with all the bits of one of our algorithms, and so are told.").format(len(told))
        )
    bad = [line.standing for line in theirs if line.row.negative]
    if bad:
        notes.append(
            Markup("Negative variances: {}.").format(
                listing([Markup("{} ({})").format(code(each.name), count(each.negative, "row")) for each in bad])
            )
        )
    return tuple(notes)


# What each is ---------------------------------------------------------------------------------------------------------


def _facts(known: Sequence[Fact]) -> tuple[tuple[str, ...], ...]:
    """The cells of the functions that were measured; those of a library that are alike in all share a line."""
    found: dict[tuple[str, ...], list[Fact]] = {}
    for fact in known:
        if fact.status == "measured":
            found.setdefault((fact.library, *_fact(fact)), []).append(fact)
    return tuple(
        (
            clean(", ".join(fact.function for fact in alike)),
            *cells,
            clean("; ".join(dict.fromkeys(fact.note for fact in alike if fact.note))) or "–",
        )
        for (_, *cells), alike in found.items()
    )


def _fact(fact: Fact) -> tuple[str, ...]:
    given = (
        _ddof(fact.default_correction), fact.choices, _short(fact.one_value), _short(fact.at_correction),
        _short(fact.empty), _short(fact.with_nan), fact.repeated, fact.threads_alike, fact.version.split(", ")[0],
        fact.date,
    )  # fmt: skip
    return tuple(clean(each) or "–" for each in given)


def _absent(content: Mapping[str, Any], known: Sequence[Fact]) -> tuple[tuple[str, str], ...]:
    """Names, and why: those of one reason together."""
    why: dict[str, list[str]] = {}
    for fact in known:
        if fact.status != "measured":
            why.setdefault(clean(f"{fact.status}: {fact.reason}" if fact.reason else fact.status), []).append(
                fact.function
            )
    for row in league_record.rows(content):
        if row.refused and row.library != OURS:
            why.setdefault(clean(f"refuses {row.storage}: {row.refused}"), []).append(row.function)
    return tuple((clean(", ".join(dict.fromkeys(names))), reason) for reason, names in why.items())


def _lead(content: Mapping[str, Any], known: Sequence[Fact], state: str) -> tuple[Markup, ...]:
    measured = [fact for fact in known if fact.status == "measured"]
    cpu = content["provenance"].get("cpu")
    machine = cpu if isinstance(cpu, Mapping) else {}
    date = str(content["provenance"].get("made", ""))[:10]
    versions = dict.fromkeys(fact.library for fact in measured)
    sizes = [len(cases) for cases in content["cases"].values()]
    return (
        Markup("{} of {}, {}: {} on {}; up to {} a storage format, the first rows of each.").format(
            count(len(measured), "function"), count(len(versions), "library", "libraries"), state,
            clean(date) or "no date", clean(machine.get("model", "a processor that is not named")),
            count(max(sizes, default=0), "case"),
        ),
        *_defaults(measured),
    )  # fmt: skip


def _defaults(measured: Sequence[Fact]) -> tuple[Markup, ...]:
    by: dict[str, dict[str, None]] = {}
    for fact in measured:
        by.setdefault(_ddof(fact.default_correction), {})[fact.library] = None
    if len(by) < 2:
        return ()
    parts = [
        Markup("{} {}").format(Markup("by <b>{}</b>").format(name), listing([code(library) for library in found]))
        for name, found in by.items()
        if name.startswith("n")
    ]
    return (
        Markup("Unasked they do not divide by the same number: {}. For n = 2 that is a factor of {}.").format(
            Markup("; ").join(parts), number(2 / (2 - 1))
        ),
    )
