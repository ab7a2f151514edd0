"""Measure the league: every function on the same rows, in its own environment, identified by its bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

import varkernels

from ..._io import provenance
from ..._io.progress import Progress, stepping
from ...study.measuring import ACCUMULATORS
from ..environments import Interpreter
from ..libraries.declaring import Function
from .asking import SECONDS, Asked, ask
from .identifying import Candidates, candidates, match
from .league_record import NAMED, OURS, LeagueFact, LeagueRow, LeagueStatus, Scored
from .league_rows import Matrix, packed
from .scoring import Answers, Exacts, answer_text, repeated, score

__all__ = ["League", "measure"]

# What the functions of an adapter answered, by the number of threads and the repetition; the first of each comes first.
Runs = Mapping[tuple[int, int], Asked]


class League(Scored[LeagueFact]):
    """How the libraries' functions, and our algorithms, did; ready for `league_record.write`."""


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
    with stepping(progress, len(functions) + ours) as finished:
        for group in adapters.values():
            place = where(group[0])
            if isinstance(place, str):
                league.facts += [_fact(each, LeagueStatus.NOT_MEASURED, place) for each in group]
            else:
                runs = {
                    (count, k): ask(
                        group, rows, place.python, threads=count, seconds=seconds, variables=place.variables
                    )
                    for count in threads
                    for k in range(repeats if count == threads[0] else 1)
                }
                for each in group:
                    judge.add(league, each, runs)
            for each in group:
                finished(each.name)
        if ours:
            league.rows += judge.ours()
            finished("our algorithms")
    return league


def _fact(function: Function, status: str, reason: str = "", **more: Any) -> LeagueFact:
    place = function.library, function.environment
    return LeagueFact(function.name, *place, status, reason, function.note, **more)


def _measured(function: Function, runs: Runs) -> LeagueFact:
    (first, _), asked = next(iter(runs.items()))
    line = asked.answers[function.name]
    answers_to = line["facts"]
    others = {run: each.answers[function.name]["answers"] for run, each in runs.items() if run != (first, 0)}
    again = [answers for (count, _), answers in others.items() if count == first]
    across = [answers for (count, _), answers in others.items() if count != first]
    return _fact(
        function,
        LeagueStatus.MEASURED,
        version=", ".join(f"{name} {version}" for name, version in asked.versions.items()),
        python=asked.python,
        date=datetime.now(timezone.utc).date().isoformat(),
        machine=str(provenance.cpu()["model"]),
        default_correction=default_correction(answers_to["four values, default"]),
        choices=", ".join(str(c) for c in (0, 1) if not answers_to[f"four values, ddof {c}"]["raised"]) or "none",
        one_value=answer_text(answers_to["one value, default"]),
        at_correction=answer_text(answers_to["one value, ddof 1"]),
        empty=answer_text(answers_to["no value, default"]),
        with_nan=answer_text(answers_to["a NaN, default"]),
        repeated=repeated(line["answers"], again, "run once"),
        threads_alike=repeated(line["answers"], across, "one number tried"),
        max_length=function.max_length,
    )


def default_correction(answer: Mapping[str, Any]) -> str:
    """The correction that a function uses by default, from its answer for 1, 2, 4, 9: their M2 is 38."""
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

    def add(self, league: League, function: Function, runs: Runs) -> None:
        """Add a function's fact and its rows."""
        failed = [asked.failures[function.name] for asked in runs.values() if function.name in asked.failures]
        if failed:
            absent = not any(asked.versions for asked in runs.values()) and "ModuleNotFoundError" in failed[0]
            status = LeagueStatus.NOT_MEASURED if absent else LeagueStatus.FAILED
            league.facts.append(_fact(function, status, failed[0]))
            return
        league.rows += self.rows(function, {count: asked for (count, k), asked in runs.items() if not k})
        league.facts.append(_measured(function, runs))

    def rows(self, function: Function, runs: Mapping[int, Asked]) -> list[LeagueRow]:
        """The rows of one function: for each storage format one, or one a number of threads where their bits differ."""
        made: list[LeagueRow] = []
        for storage, matrices in self.by_storage.items():
            if storage not in function.storages:
                continue
            first: dict[str, Any] | None = None
            for threads, asked in runs.items():
                answers = asked.answers[function.name]["answers"]
                given = {m.key: answers[m.key] for m in matrices if m.key in answers}
                if not given:
                    continue
                if first == given:
                    made[-1].threads += f" and {threads}"
                    continue
                first = given
                made.append(self.row(function, asked, storage, given, str(threads)))
        return made

    def row(
        self, function: Function, asked: Asked, storage: str, given: Mapping[str, list[str | None]], threads: str
    ) -> LeagueRow:
        line = asked.answers[function.name]
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
        studied, version = varkernels.algorithms(), provenance.versions().get("varstudy", "")
        for storage, matrices in self.by_storage.items():
            known = self.known(storage, 0)
            ends = np.cumsum([len(matrix.values) for matrix in matrices])
            for name, fmt, found in zip(known.names, known.formats, known.answers, strict=True):
                if name.rpartition(" in ")[0] not in studied or fmt.name not in ACCUMULATORS[storage]:
                    continue
                parts = zip(matrices, np.split(found, ends[:-1]), strict=True)
                answers = {matrix.key: Answers(part, np.zeros(len(part), np.bool_)) for matrix, part in parts}
                row = LeagueRow(name, OURS, "", version, storage, "1", 0, fmt.name)
                score(row, matrices, answers, self.exacts[storage])
                row.median = ""
                made.append(row)
        return made
