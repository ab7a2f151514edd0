"""Two leagues: what a new version of a library changed, for the worse or the better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .league_record import OURS, LeagueFact, LeagueRow, LeagueStatus, facts, results, rows

__all__ = ["LeagueChange", "compare"]

# Digits that a median may lose before it is reported: those of a rounding more or less.
SLACK = 0.1


@dataclass(frozen=True)
class LeagueChange:
    """One thing that differs: of which function, what, before and after, and whether it is worse."""

    function: str
    storage: str
    what: str
    before: str
    after: str
    worse: bool


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[LeagueChange]:
    """What differs in functions that both leagues measured, on the cases that both tried; what is worse first."""
    changes: list[LeagueChange] = []
    old_facts = {fact.function: fact for fact in facts(before) if fact.status != LeagueStatus.NOT_MEASURED}
    for fact in facts(after):
        if fact.function in old_facts and fact.status != LeagueStatus.NOT_MEASURED:
            changes += _facts(old_facts[fact.function], fact)
    old = {key: row for row in rows(before) for key in _keys(row)}
    for row in rows(after):
        twin = next((old[key] for key in _keys(row) if key in old), None)
        if twin is not None and row.library != OURS:
            changes += _rows(twin, row, before, after)
    return sorted(changes, key=lambda change: not change.worse)


def _keys(row: LeagueRow) -> list[tuple[str, str, str]]:
    return [(row.function, row.storage, threads) for threads in row.threads.split(" and ")]


def _facts(a: LeagueFact, b: LeagueFact) -> list[LeagueChange]:
    if a.status != b.status:
        return [
            LeagueChange(
                b.function, "", "status", a.status, f"{b.status} {b.reason}".strip(), b.status == LeagueStatus.FAILED
            )
        ]
    names = ("version", "default_correction", "one_value", "at_correction", "empty", "with_nan")
    return [
        LeagueChange(b.function, "", name.replace("_", " "), getattr(a, name), getattr(b, name), False)
        for name in names
        if getattr(a, name) != getattr(b, name)
    ]


def _rows(a: LeagueRow, b: LeagueRow, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[LeagueChange]:
    def change(what: str, x: object, y: object, worse: bool) -> LeagueChange:
        return LeagueChange(b.function, b.storage, what, str(x), str(y), worse)

    if bool(a.refused) != bool(b.refused):
        return [change("the format", a.refused or "taken", b.refused or "taken", bool(b.refused))]
    old = {each.case: each for each in results(a, before) if each.tried and each.scored}
    new = {each.case: each for each in results(b, after) if each.tried and each.scored}
    both = [(old[name], new[name]) for name in new if name in old]
    found = [
        change(f"case {x.case}", "wrong" if x.wrong else "right", "wrong" if y.wrong else "right", y.wrong)
        for x, y in both
        if x.wrong != y.wrong
    ]
    lost = [y for x, y in both if not x.wrong and not y.wrong and _digits(x.digits) - _digits(y.digits) > SLACK]
    won = [y for x, y in both if not x.wrong and not y.wrong and _digits(y.digits) - _digits(x.digits) > SLACK]
    for cases, word, worse in ((lost, "fewer digits", True), (won, "more digits", False)):
        if cases:
            found.append(change(word, "", f"in {len(cases)} cases, such as {cases[0].case}", worse))
    if a.equal != b.equal and a.rows == b.rows:  # fewer rows tell less
        found.append(change("bit-equal to", a.equal or "none", b.equal or "none", False))
    return found


def _digits(value: float) -> float:
    return min(value, 40.0) if not math.isnan(value) else value
