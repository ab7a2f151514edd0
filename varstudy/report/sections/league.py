"""The section on libraries: the league of variance functions, with our algorithms on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from markupsafe import Markup

from ...survey.league import league_record
from ...survey.league.comparing import compare
from ...survey.league.league_record import OURS, LeagueFact, LeagueProblem
from ...survey.libraries.declaring import SHORT
from ..words import clean, code, count, listing
from .league_tables import LeagueTable, divisor, layers_table, league_table, pinned, short_error

__all__ = ["Libraries", "libraries", "shown"]


@dataclass(frozen=True)
class Libraries:
    """The section; or why there is none: `problem`, empty where it was never measured.

    Attributes
    ----------
    lead : who measured what, in sentences. first : the well-known functions. tables : one a storage format, float32
        first.
    facts : cells of what each function is. absent : what was not measured, refused or failed, and why.
    """

    problem: str = ""
    lead: tuple[Markup, ...] = ()
    first: LeagueTable | None = None
    tables: tuple[LeagueTable, ...] = ()
    facts: tuple[tuple[str, ...], ...] = ()
    absent: tuple[tuple[str, str], ...] = ()
    layers: LeagueTable | None = None
    longest: str = f"{SHORT:,}"


# Changes of a league measured here that are shown as sentences.
SHOWN = 12


def libraries(fresh: Mapping[str, Any] | str | None = None) -> Libraries:
    """The section of the committed league, or of a whole one that was measured here; of a part that was measured
    here, what it changes.

    Parameters
    ----------
    fresh : the content of a league.json, or a sentence why there is none to show.
    """
    if isinstance(fresh, str):
        return Libraries(problem=clean(fresh).rstrip("."))
    if fresh is not None and _whole(fresh):
        return made(fresh, "measured here")
    try:
        there = league_record.COMMITTED.stat()
    except OSError:
        return Libraries() if fresh is None else made(fresh, "measured here")
    found = _committed(str(league_record.COMMITTED), there.st_mtime_ns, there.st_size)
    if fresh is None or found.problem:
        return found
    return replace(found, lead=(*found.lead, *_here(league_record.committed(), fresh)))


def shown(fresh: Mapping[str, Any] | str | None = None) -> Mapping[str, Any] | None:
    """The content of the league that the section shows: a whole one measured here, or the committed one."""
    if isinstance(fresh, Mapping) and _whole(fresh):
        return fresh
    try:
        return league_record.committed()
    except (OSError, LeagueProblem):
        return fresh if isinstance(fresh, Mapping) else None


def _whole(content: Mapping[str, Any]) -> bool:
    """Whether a league is complete: all the cases, and our algorithms on them."""
    return content["settings"].get("level") != "quick" and any(
        row.library == OURS for row in league_record.rows(content)
    )


def _here(committed: Mapping[str, Any], fresh: Mapping[str, Any]) -> tuple[Markup, ...]:
    """What was measured here, and what it changes."""
    measured = [fact for fact in league_record.facts(fresh) if fact.status == league_record.LeagueStatus.MEASURED]
    if not measured:
        return ()
    versions = dict.fromkeys(version for fact in measured for version in fact.version.split(", ") if version)
    changes = compare(committed, fresh)
    text = Markup("Measured again on this machine, on the smallest set of cases: {} ({}).").format(
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
    tables = [league_table(content, storage) for storage in storages]
    kept = tuple(table for table in tables if table.body)
    return Libraries(
        lead=_lead(content, known, state),
        first=pinned(kept[0]) if kept else None,
        tables=kept,
        facts=_facts(known),
        absent=_absent(content, known),
        layers=layers_table(content),
    )


# What each is ---------------------------------------------------------------------------------------------------------


def _facts(known: Sequence[LeagueFact]) -> tuple[tuple[str, ...], ...]:
    """The cells of the functions that were measured; those of a library that are alike in all share a line."""
    found: dict[tuple[str, ...], list[LeagueFact]] = {}
    for fact in known:
        if fact.status == league_record.LeagueStatus.MEASURED:
            found.setdefault((fact.library, *_fact(fact)), []).append(fact)
    return tuple(
        (
            clean(", ".join(fact.function for fact in alike)),
            *cells,
            clean("; ".join(dict.fromkeys(fact.note for fact in alike if fact.note))) or "–",
        )
        for (_, *cells), alike in found.items()
    )


def _fact(fact: LeagueFact) -> tuple[str, ...]:
    given = (
        divisor(fact.default_correction), fact.choices, short_error(fact.one_value), short_error(fact.at_correction),
        short_error(fact.empty), short_error(fact.with_nan), fact.repeated, fact.threads_alike,
        fact.version.split(", ")[0], fact.date,
    )  # fmt: skip
    return tuple(clean(each) or "–" for each in given)


def _absent(content: Mapping[str, Any], known: Sequence[LeagueFact]) -> tuple[tuple[str, str], ...]:
    """Names, and why: those of one reason together."""
    why: dict[str, list[str]] = {}
    for fact in known:
        if fact.status != league_record.LeagueStatus.MEASURED:
            why.setdefault(clean(f"{fact.status}: {fact.reason}" if fact.reason else fact.status), []).append(
                fact.function
            )
    for row in league_record.rows(content):
        if row.refused and row.library != OURS:
            why.setdefault(clean(f"refuses {row.storage}: {row.refused}"), []).append(row.function)
    return tuple((clean(", ".join(dict.fromkeys(names))), reason) for reason, names in why.items())


def _lead(content: Mapping[str, Any], known: Sequence[LeagueFact], state: str) -> tuple[Markup, ...]:
    measured = [fact for fact in known if fact.status == league_record.LeagueStatus.MEASURED]
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


def _defaults(measured: Sequence[LeagueFact]) -> tuple[Markup, ...]:
    by: dict[str, dict[str, None]] = {}
    for fact in measured:
        by.setdefault(divisor(fact.default_correction), {})[fact.library] = None
    if len(by) < 2:
        return ()
    parts = [
        Markup("by <b>{}</b> {}").format(name, listing([code(library) for library in found]))
        for name, found in by.items()
        if name.startswith("n")
    ]
    told = Markup("Default divisors differ: {}. For n = 2 that is a factor of 2.")
    return (told.format(Markup("; ").join(parts)),)
