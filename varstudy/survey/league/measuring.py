"""Measure the league: every function on the same rows, in its own environment, identified by its bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._io import provenance
from ...study.measuring import ACCUMULATORS
from ..environments import Interpreter
from ..libraries.declaring import Function
from . import league_record
from .asking import SECONDS, Asked, ask
from .identifying import Candidates, candidates, match
from .league_record import NAMED, OURS, LeagueFact, LeagueRow, LeagueStatus
from .league_rows import Matrix, packed
from .scoring import Answers, Exacts, answer_text, repeated, score

if TYPE_CHECKING:
    from ..._io.progress import Progress

__all__ = ["League", "measure"]


@dataclass
class League:
    """What is measured, ready for `record.write`.

    Attributes
    ----------
    rows : how each function, and each algorithm of ours, did on each storage format. facts : one a function.
    cases : by storage format, what each result of a row's `worst` is of.
    settings : what was asked for; `measure` leaves them to its caller.
    """

    rows: list[LeagueRow] = field(default_factory=list)
    facts: list[LeagueFact] = field(default_factory=list)
    cases: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def content(self, argv: Sequence[str] | None = None) -> dict[str, Any]:
        """All of it, for the file.

        Parameters
        ----------
        argv : the command line to record; this process's own where it is None.
        """
        return league_record.content(self.rows, self.facts, self.cases, self.settings, argv)


def measure(
    functions: Sequence[Function],
    matrices: Sequence[Matrix],
    where: Callable[[Function], Interpreter | str],
    *,
    threads: Sequence[int] = (1, 2),
    repeats: int = 2,
    seconds: float = SECONDS,
    ours: bool = True,
    progress: Progress | None = None,
) -> League:
    """Measure functions on matrices.

    Parameters
    ----------
    functions : those of one adapter and environment run in one process, in the place of the first of them.
    matrices : of any storage formats, their keys all different. A function gets those of the formats and the lengths
        that it takes.
    where : a function's place; or a sentence why it is not measured.
    threads : numbers of threads to try, at least one. repeats : how often, at least once, each is run with the first
        of these, to see whether the bits are the same.
    seconds : that one function may take on all matrices. ours : whether our algorithms are scored on the same rows.
    progress : advances with each function, and once for our algorithms.

    Returns
    -------
    `League`: of each function a fact, and its rows where it could be run; one that fails does not stop the others.
    """
    league = League()
    by_storage: dict[str, list[Matrix]] = {}
    for matrix in matrices:
        by_storage.setdefault(matrix.storage, []).append(matrix)
    league.cases = {storage: [matrix.described() for matrix in each] for storage, each in by_storage.items()}
    judge = _Judge(by_storage)
    rows = packed(matrices)
    adapters: dict[tuple[str, Path], list[Function]] = {}
    for each in functions:
        adapters.setdefault((each.environment, each.adapter), []).append(each)
    if progress is not None:
        progress.start(len(functions) + ours, 0)
    try:
        for group in adapters.values():
            _adapter(league, judge, group, where, rows, threads, repeats, seconds)
            if progress is not None:
                for each in group:
                    progress.advance(each.name)
        if ours:
            league.rows += judge.ours()
            if progress is not None:
                progress.advance("our algorithms")
    finally:
        if progress is not None:
            progress.stop()
    return league


def _adapter(
    league: League,
    judge: _Judge,
    functions: Sequence[Function],
    where: Callable[[Function], Interpreter | str],
    rows: bytes,
    threads: Sequence[int],
    repeats: int,
    seconds: float,
) -> None:
    """All functions of one adapter."""
    place = where(functions[0])
    if isinstance(place, str):
        league.facts += [_fact(each, LeagueStatus.NOT_MEASURED, place) for each in functions]
        return
    runs = {
        (count, k): ask(functions, rows, place.python, threads=count, seconds=seconds, variables=place.variables)
        for count in threads
        for k in range(repeats if count == threads[0] else 1)
    }
    for each in functions:
        failed = [asked.failures[each.name] for asked in runs.values() if each.name in asked.failures]
        if failed:
            absent = not any(asked.versions for asked in runs.values()) and "ModuleNotFoundError" in failed[0]
            league.facts.append(_fact(each, LeagueStatus.NOT_MEASURED if absent else LeagueStatus.FAILED, failed[0]))
            continue
        league.rows += judge.rows(each, {count: runs[count, 0] for count in threads})
        league.facts.append(_measured(each, runs, threads, repeats))


def _fact(function: Function, status: str, reason: str = "") -> LeagueFact:
    note = function.note
    return LeagueFact(function.name, function.library, function.environment, status, reason, note)


def _measured(
    function: Function, runs: Mapping[tuple[int, int], Asked], threads: Sequence[int], repeats: int
) -> LeagueFact:
    asked = runs[threads[0], 0]
    line = asked.answers[function.name]
    answers_to = line["facts"]
    fact = _fact(function, LeagueStatus.MEASURED)
    fact.version = ", ".join(f"{name} {version}" for name, version in asked.versions.items())
    fact.python = asked.python
    fact.date = datetime.now(timezone.utc).date().isoformat()
    fact.machine = str(provenance.cpu()["model"])
    fact.default_correction = default_correction(answers_to["four values, default"])
    fact.choices = ", ".join(str(c) for c in (0, 1) if not answers_to[f"four values, ddof {c}"]["raised"]) or "none"
    fact.one_value = answer_text(answers_to["one value, default"])
    fact.at_correction = answer_text(answers_to["one value, ddof 1"])
    fact.empty = answer_text(answers_to["no value, default"])
    fact.with_nan = answer_text(answers_to["a NaN, default"])
    fact.max_length = function.max_length
    answers = {run: asked.answers[function.name]["answers"] for run, asked in runs.items()}
    again = [answers[threads[0], k] for k in range(1, repeats)]
    fact.repeated = repeated(line["answers"], again, "run once")
    across = [answers[count, 0] for count in threads[1:]]
    fact.threads_alike = repeated(line["answers"], across, "one number tried")
    return fact


def default_correction(answer: Mapping[str, Any]) -> str:
    """The correction that a function uses unasked, from its answer for 1, 2, 4, 9: their M2 is 38."""
    text = answer_text(answer)
    if answer["raised"] or answer["answer"] is None:
        return "none" if text == "no default" else f"undetermined: {text}"
    value = float.fromhex(answer["answer"])
    for correction in (0, 1):
        if abs(value * (4 - correction) - 38) < 0.01:
            return str(correction)
    return f"undetermined: it answers {text} for 1, 2, 4, 9"


class _Judge:
    """Scores answers, and tells functions by them; what it takes is computed once."""

    def __init__(self, by_storage: Mapping[str, list[Matrix]]) -> None:
        self.by_storage = by_storage
        self.exacts = {storage: Exacts(of_storage) for storage, of_storage in by_storage.items()}
        self.kept: dict[str, dict[int, Candidates]] = {}

    def known(self, storage: str, correction: int) -> Candidates:
        if storage not in self.kept:
            self.kept[storage] = candidates(self.by_storage[storage], (0, 1))
        return self.kept[storage][correction]

    def rows(self, function: Function, asked: Mapping[int, Asked]) -> list[LeagueRow]:
        """The rows of one function: for each storage format one, or one a number of threads where their bits differ."""
        made: list[LeagueRow] = []
        for storage, matrices in self.by_storage.items():
            if storage not in function.storages:
                continue
            first: dict[str, Any] | None = None
            for threads, found in asked.items():
                line = found.answers[function.name]
                given = {m.key: line["answers"][m.key] for m in matrices if m.key in line["answers"]}
                if not given:
                    continue
                if first == given:
                    made[-1].threads += f" and {threads}"
                    continue
                first = given
                made.append(self.row(function, found, line, storage, given, str(threads)))
        return made

    def row(
        self,
        function: Function,
        asked: Asked,
        line: Mapping[str, Any],
        storage: str,
        given: Mapping[str, list[str | None]],
        threads: str,
    ) -> LeagueRow:
        correction = 0
        if line["ddof"] is None:
            own = default_correction(line["facts"]["four values, default"])
            correction = int(own) if own in ("0", "1") else 0
        version = next(iter(asked.versions.values()), "")
        if len(asked.versions) > 1:
            version = asked.versions.get(function.library.lower(), version)
        row = LeagueRow(function.name, function.library, function.environment, version, storage, threads, correction)
        raised = line["raised"].get(storage, {})
        row.failure = max(raised, key=raised.__getitem__, default="")
        if all(v == "raised" for values in given.values() for v in values):
            row.refused = row.failure or "it raised for every row"
            return row
        row.answers_in = " or ".join(line["formats"].get(storage, []))
        answers = {key: Answers.of(values) for key, values in given.items()}
        score(row, self.by_storage[storage], answers, self.exacts[storage])
        known = self.known(storage, correction)
        flat, tried = self._flat(storage, answers)
        found = match(known, flat, tried, row.answers_in)
        row.equal, row.equal_count = "; ".join(found.names[:NAMED]), len(found.names)
        row.equal_up_to, row.equal_rows = found.up_to, found.rows
        return row

    def _flat(self, storage: str, answers: Mapping[str, Answers]) -> tuple[Any, Any]:
        values, tried = [], []
        for matrix in self.by_storage[storage]:
            given = answers.get(matrix.key)
            count = len(matrix.values)
            values.append(given.values if given is not None else np.full(count, math.nan))
            tried.append(~given.raised if given is not None else np.zeros(count, np.bool_))
        return np.concatenate(values), np.concatenate(tried)

    def ours(self) -> list[LeagueRow]:
        """Our algorithms in the study's accumulators, on the same rows."""
        made = []
        for storage, matrices in self.by_storage.items():
            known = self.known(storage, 0)
            for place, (name, fmt) in enumerate(zip(known.names, known.formats, strict=True)):
                algorithm = name.rpartition(" in ")[0]
                if not _studied(algorithm) or fmt.name not in (*ACCUMULATORS[storage],):
                    continue
                answers = {}
                start = 0
                for matrix in matrices:
                    part = known.answers[place, start : start + len(matrix.values)]
                    start += len(matrix.values)
                    answers[matrix.key] = Answers(part, np.zeros(len(part), np.bool_))
                row = LeagueRow(name, OURS, "", provenance.versions().get("varstudy", ""), storage, "1", 0, fmt.name)
                score(row, matrices, answers, self.exacts[storage])
                row.median = ""
                made.append(row)
        return made


def _studied(name: str) -> bool:
    from varkernels import algorithms  # noqa: PLC0415 - reads the entry points

    return name in algorithms()
