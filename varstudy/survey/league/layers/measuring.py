"""Measures the layers of frameworks: each is asked, its variances are read from its outputs, and scored."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...._io import child, provenance
from ...._io.matching import matches, nearest
from ...._io.progress import Progress, stepping
from ....study.score import Exact
from ...environments import EnvironmentProblem, Interpreter
from ...findings import measured as conventions
from ...frameworks.catalogue import FRAMEWORKS
from ...frameworks.declaring import Framework
from ...frameworks.observing import place
from ...probes import SCRIPTS
from ..league_record import LeagueRow, LeagueStatus, Scored
from ..league_rows import Matrix, archive
from ..scoring import Answers, Exacts, repeated, score
from .law import RESOLUTION, Law, implied, laws
from .layers_record import LAYER, LONGEST, STORAGE, LayerFact

__all__ = ["Layers", "chosen", "measure"]

SCRIPT = SCRIPTS / "layer_rows.py"
# Batch norm in every variant of a framework; of the others the first that its adapter names.
KINDS = {"batch": "every", "layer": "first", "group": "first", "instance": "first"}
# For a process in which a framework's layers get all rows; JAX compiles each for each length.
SECONDS = 600.0
# Rows of equal length as one table, and of which matrix and row each is.
Tables = Mapping[str, tuple[NDArray[Any], list[tuple[int, int]]]]
# A row of whose variance epsilon hides even the first digit is left out.
HIDDEN = 0.1


# What a file of layers says of how they were measured.
DESCRIBED = {
    "longest": LONGEST,
    "kinds": KINDS,
    "threads": 1,
    "resolution": RESOLUTION,
    "hidden": HIDDEN,
    "errors": "of a worst row are at most what is written: no less than the resolution of its outputs",
    "epsilon": "the framework's default; a row of whose variance it hides the first digit is left out",
    "rows": "those of the league, in float32, up to the longest",
    "laid_out": "rows of a length are the channels, samples or groups of one input; images are 1 x 2 or 1 x 1",
}


class Layers(Scored[LayerFact]):
    """How the frameworks' layers did; ready for `write`."""


class _Shown(Exacts):
    """The exact variances, without those that a layer's outputs do not tell."""

    hidden: Mapping[str, NDArray[np.bool_]]

    def of(self, matrix: Matrix, correction: int) -> tuple[Exact, NDArray[np.bool_]]:
        exact, finite = super().of(matrix, correction)
        hidden = self.hidden.get(matrix.key)
        if hidden is None or not hidden.any():
            return exact, finite
        return Exact([None if hide else v for v, hide in zip(exact.values, hidden, strict=True)]), finite


def chosen(pattern: str | None) -> list[Framework]:
    """The measured frameworks whose names match; all without a pattern.

    Raises
    ------
    ValueError
        None does.
    """
    able = {each.name: each for each in FRAMEWORKS.values() if each.measured}
    found = [each for name, each in able.items() if pattern is None or matches(name, pattern)]
    if not found:
        hint = nearest(str(pattern), able, "'python -m varstudy frameworks --list' names all")
        raise ValueError(f"{pattern!r} is no framework whose layers are measured: {hint}")
    return found


def tables(given: Sequence[Matrix]) -> Tables:
    """The rows of equal length as one table, and of which matrix and row each is; those with a NaN on their own.

    A table has an even number of rows, for layers with two groups: the first stands twice if need be.
    """
    placed: dict[str, list[tuple[int, int]]] = {}
    for k, matrix in enumerate(given):
        if matrix.length > LONGEST or matrix.storage != STORAGE:
            continue
        plain = np.isfinite(matrix.values).all()
        key = f"{matrix.length:06d}" + ("" if plain else f" {matrix.key}")
        placed.setdefault(key, []).extend((k, r) for r in range(len(matrix.values)))
    made = {}
    for key, places in placed.items():
        whole = places + places[: len(places) % 2]
        made[key] = np.stack([given[k].values[r] for k, r in whole]).astype(np.float32), places
    return made


def ask(
    framework: Framework, there: Interpreter, packed: bytes, seconds: float
) -> tuple[dict[str, Any], dict[tuple[str, str], str]]:
    """What all layers of a framework answered, and what is not right with those that did not."""
    observed: dict[str, Any] = {"versions": {}, "layers": []}
    failures: dict[tuple[str, str], str] = {}
    with tempfile.TemporaryDirectory(prefix="varstudy-") as held:
        request, given = Path(held) / "request.json", Path(held) / "tables.npz"
        given.write_bytes(packed)
        while True:
            done = [[e["kind"], e["variant"]] for e in observed["layers"]] + [list(key) for key in failures]
            request.write_text(
                json.dumps({"adapter": str(framework.script()), "threads": 1, "kinds": KINDS, "skip": done}), "utf-8"
            )
            end = child.run(there.python, SCRIPT, [str(request), str(given)], seconds=seconds, threads=1,
                              variables=there.variables)  # fmt: skip
            answer = end.answer if isinstance(end.answer, dict) else {}
            observed["versions"] = answer.get("versions") or observed["versions"]
            observed["python"] = answer.get("python", "")
            observed["layers"] += answer.get("layers", [])
            asking = answer.get("asking", "import")
            if end.ok:
                return observed, failures
            if not isinstance(asking, list):
                failures["", ""] = end.sentence
                return observed, failures
            failures[asking[0], asking[1]] = end.sentence


def measure(
    named: Sequence[Framework],
    given: Sequence[Matrix],
    *,
    where: Callable[[Framework], Interpreter] = place,
    findings: Sequence[conventions.FindingRow] | None = None,
    repeats: int = 1,
    seconds: float = SECONDS,
    progress: Progress | None = None,
) -> Layers:
    """Measure the layers of frameworks on matrices of float32 values.

    Parameters
    ----------
    where : a framework's place; it raises EnvironmentProblem where there is none.
    findings : of the conventions, instead of the committed ones.
    repeats : how often each framework is asked, to see whether its outputs are the same bits.
    """
    made = Layers(cases={STORAGE: [matrix.described() for matrix in given]}, settings=dict(DESCRIBED))
    judge = _Judge(given, tables(given))
    known = conventions.committed() if findings is None else findings
    with stepping(progress, len(named)) as finished:
        for framework in named:
            judge.framework(made, framework, where, laws(known, framework.name), repeats, seconds)
            finished(framework.name)
    return made


class _Judge:
    """Asks frameworks and scores what they answer; the exact variances are computed once."""

    def __init__(self, given: Sequence[Matrix], laid: Tables) -> None:
        self.given, self.laid = given, laid
        self.exacts = _Shown(given)
        self.machine = str(provenance.cpu()["model"])
        self.packed = archive({key: table for key, (table, _) in laid.items()})

    def framework(
        self,
        made: Layers,
        framework: Framework,
        where: Callable[[Framework], Interpreter],
        law: Callable[[str, str], tuple[Law, str] | str],
        repeats: int,
        seconds: float,
    ) -> None:
        def fact(kind: str, variant: str, status: str, reason: str = "", **more: Any) -> LayerFact:
            name = f"{framework.name} {kind} norm, {variant}" if kind else f"{framework.name}, all layers"
            return LayerFact(name, framework.name, kind, variant, status, reason, machine=self.machine,
                             date=datetime.now(timezone.utc).date().isoformat(), **more)  # fmt: skip

        try:
            there = where(framework)
        except EnvironmentProblem as problem:
            made.facts.append(fact("", "", LeagueStatus.NOT_MEASURED, str(problem)))
            return
        runs = [ask(framework, there, self.packed, seconds) for _ in range(repeats)]
        observed, failures = runs[0]
        version = ", ".join(f"{name} {number}" for name, number in observed["versions"].items())
        python = str(observed.get("python", ""))
        for (kind, variant), sentence in failures.items():
            made.facts.append(fact(kind, variant, LeagueStatus.FAILED, sentence, version=version, python=python))
        again = [{(e["kind"], e["variant"]): e["answers"] for e in other["layers"]} for other, _ in runs[1:]]
        for layer in observed["layers"]:
            key = layer["kind"], layer["variant"]
            layer_fact = fact(*key, LeagueStatus.MEASURED, version=version, python=python, title=layer["title"])
            layer_fact.seconds = layer["seconds"]
            found = law(*key)
            made.facts.append(layer_fact)
            if isinstance(found, str):
                layer_fact.status, layer_fact.reason = LeagueStatus.NOT_MEASURED, found
                continue
            rule, layer_fact.read_as = found
            layer_fact.correction, layer_fact.epsilon, layer_fact.place = rule.correction, rule.epsilon, rule.place
            others = [_rows(other[key]) for other in again if key in other]
            layer_fact.repeated = repeated(_rows(layer["answers"]), others, "run once")
            number = next(iter(observed["versions"].values()), "")
            made.rows.append(self.row(layer_fact, framework, number, layer["answers"], rule))

    def row(
        self, layer_fact: LayerFact, framework: Framework, version: str, answers: Mapping[str, Any], law: Law
    ) -> LeagueRow:
        """A layer's row; its fact learns how many rows are hidden and coarse."""
        title = LAYER + framework.title
        row = LeagueRow(
            layer_fact.function, title, framework.environment, version, STORAGE, "1", law.correction, STORAGE
        )
        values = {m.key: np.full(len(m.values), math.nan) for m in self.given}
        raised = {key: np.zeros(len(v), np.bool_) for key, v in values.items()}
        hidden = {key: np.zeros(len(v), np.bool_) for key, v in values.items()}
        tried, words = set(), []
        self.exacts.hidden = {}
        for key, (_, places) in self.laid.items():
            answer = answers[key]
            words += [answer["raised"]] * len(places) if "raised" in answer else []
            for r, (k, line) in enumerate(places):
                matrix = self.given[k]
                tried.add(matrix.key)
                exact = self.exacts.of(matrix, law.correction)[0]
                true = float(exact.rounded[line])
                if true > 0 and RESOLUTION * law.spread(true) > HIDDEN:
                    hidden[matrix.key][line] = True
                    layer_fact.hidden += 1
                elif "raised" in answer:
                    raised[matrix.key][line] = True
                elif exact.known[line]:
                    found, resolution = implied(matrix.values[line], answer["rows"][r], true, law)
                    if true == 0 and found == 0:
                        # Outputs of equal values are equal whatever they were divided by.
                        hidden[matrix.key][line] = True
                        layer_fact.hidden += 1
                    elif resolution >= 1 and (found == math.inf or abs(found / true - 1) <= resolution):
                        hidden[matrix.key][line] = True
                        layer_fact.coarse += 1
                    values[matrix.key][line] = _at_least(found, true, resolution)
                elif answer["rows"][r]["finite"]:
                    values[matrix.key][line] = 0.0  # a finite answer for a row that has no variance
        row.failure = max(words, key=words.count, default="")
        if words and len(words) == sum(len(places) for _, places in self.laid.values()):
            row.refused = row.failure
            return row
        self.exacts.hidden = hidden
        score(row, self.given, {key: Answers(values[key], raised[key]) for key in tried}, self.exacts)
        row.beyond_half_ulp = 0  # outputs do not tell
        return row


def _at_least(found: float, true: float, resolution: float) -> float:
    """A variance that is off as far as the one found, and no less than the resolution."""
    if not math.isfinite(found) or true == 0 or abs(found / true - 1) >= resolution:
        return found
    return true * (1 + resolution)


def _rows(answers: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What a layer answered for each row of each table; for a table for which it raised, that alone."""
    return {key: answer.get("rows", [answer]) for key, answer in answers.items()}
