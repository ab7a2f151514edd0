"""One table of the libraries' functions and our algorithms, on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..callables.scorecard import lower_median
from .league_record import OURS, CaseResult, LeagueFact, LeagueRow, facts, results, rows

__all__ = ["LeagueStanding", "together"]


@dataclass(frozen=True)
class LeagueStanding:
    """One line of the table.

    Attributes
    ----------
    place : from 1; equal ones share the better place. name, library, version, threads : whose.
    ours : whether it is an algorithm of this library.
    cases : scored. wrong : of them, by the judge, or raised. digits_median : of the worst rows.
    digits_worst : of the worst case. negative, nan, raised : rows. identity : what its bits say that it is.
    default_correction : it divides by n less this by default.
    """

    place: int
    name: str
    library: str
    version: str
    threads: str
    ours: bool
    cases: int
    wrong: int
    digits_median: float
    digits_worst: float
    negative: int
    nan: int
    raised: int
    identity: str
    default_correction: str


def identity(row: LeagueRow) -> str:
    """What a row's bits say the function is, in a phrase; empty where nothing is claimed."""
    if not row.equal:
        return ""
    names = row.equal.split("; ")
    if row.equal_count > len(names):
        return f"one of {row.equal_count} that answer alike here"
    return f"bit-equal to {' and '.join(names)}" + (f" up to {row.equal_up_to:,} values" if row.equal_up_to else "")


def together(
    content: Mapping[str, Any],
    storage: str,
    *,
    max_length: int | None = None,
    ours: Sequence[LeagueRow] | None = None,
    more: Sequence[LeagueRow] = (),
    shared: bool = True,
) -> list[LeagueStanding]:
    """The table of one storage format: fewest wrong cases first, then most digits in the median.

    Only functions that were given every case take part, and a case counts where all of them can be scored (n is above
    everyone's correction), so that all stand on the same rows.

    Parameters
    ----------
    content : of a league, as `read` gives it. storage : ``float16``, ``bfloat16``, ``float32`` or ``float64``.
    max_length : only cases whose rows are no longer; by default all.
    ours : rows of our algorithms on the same cases, if not those of the league. more : rows of anything else on these
        cases, such as the variances that a layer's outputs imply.
    shared : whether only cases count that all can be scored on; else each has its own, and their number is given.
    """
    own = [row for row in rows(content) if row.library == OURS] if ours is None else list(ours)
    known: dict[str, LeagueFact] = {fact.function: fact for fact in facts(content)}
    given: list[tuple[LeagueRow, list[CaseResult]]] = []
    for row in [*(each for each in rows(content) if each.library != OURS), *own, *more]:
        if row.storage != storage or row.refused:
            continue
        cases = [each for each in results(row, content) if max_length is None or each.length <= max_length]
        if cases and all(each.tried for each in cases):
            given.append((row, cases))
    counts = [all(each.scored for each in column) for column in zip(*(cases for _, cases in given), strict=True)]
    lines: list[tuple[tuple[float, float], LeagueRow, list[CaseResult]]] = []
    for row, cases in given:
        scored = [each for each, ok in zip(cases, counts, strict=True) if (ok if shared else each.scored)]
        if not scored:
            continue
        key = (sum(each.wrong for each in scored), -lower_median([each.digits for each in scored]))
        lines.append((key, row, scored))
    lines.sort(key=lambda line: line[0])
    keys = [key for key, _, _ in lines]
    return [
        LeagueStanding(
            1 + keys.index(key),
            row.function,
            row.library,
            row.version,
            row.threads,
            row.library == OURS,
            len(scored),
            int(key[0]),
            -key[1],
            min((each.digits for each in scored), default=float("nan")),
            row.negative,
            row.nan,
            row.raised,
            identity(row),
            known[row.function].default_correction if row.function in known else "",
        )
        for key, row, scored in lines
    ]
