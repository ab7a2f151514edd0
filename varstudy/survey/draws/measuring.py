"""Asks the layers of frameworks for outputs of many rows, and reads from them how far their variances are off."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._io import child, provenance
from ..environments import EnvironmentProblem, Interpreter
from ..findings import measured as conventions
from ..findings.properties import FindingStatus, RunningSpread
from ..frameworks.declaring import Framework
from ..inference.accuracy import Implied, Measured
from ..inference.finding import UNIT
from ..league.layers.law import Law, implied, laws
from ..probes import SCRIPTS
from .asking import GROUPS, MEANS, ROWS, SEED, SIZES, Moments, exact, shapes, tables
from .draws_record import DrawFact, DrawRow, DrawStatus

__all__ = ["MeasuredDraws", "measure", "settings"]

SCRIPT = SCRIPTS / "layer_draws.py"
# For a process, in which a framework's layers get all means of one size.
SECONDS = 900.0
THREADS = (1, 2)
# How far a running mean may be from a batch's and yet be taken for it, relative to the mean or the deviation.
_ADOPTED = 1e-3


@dataclass
class MeasuredDraws:
    """What is measured of one framework."""

    fact: DrawFact
    rows: list[DrawRow]


@dataclass(frozen=True)
class _Tables:
    """The rows of one size: by mean, the file and the exact moments."""

    size: int
    rows: int
    files: Mapping[float, Path]
    moments: Mapping[float, Moments]

    def table(self, mean: float) -> NDArray[np.float32]:
        return np.load(self.files[mean], mmap_mode="r")  # type: ignore[no-any-return]


def _written(size: int, means: Sequence[float], rows: int, folder: Path) -> _Tables:
    files, moments = {}, {}
    for mean in means:
        table = tables(size, mean, rows)
        files[mean] = folder / f"{mean:g}.npy"
        np.save(files[mean], table)
        moments[mean] = exact(table)
    return _Tables(size, rows, files, moments)


class _Process:
    """One framework, asked in processes of its interpreter."""

    def __init__(self, framework: Framework, there: Interpreter, seconds: float) -> None:
        self.framework, self.there, self.seconds = framework, there, seconds
        self.versions: dict[str, str] = {}
        self.python = ""

    @property
    def version(self) -> str:
        """Of the framework and what it builds on."""
        return ", ".join(f"{name} {number}" for name, number in self.versions.items())

    def answers(self, given: _Tables, threads: int) -> list[dict[str, Any]]:
        """What each layer answers to each table; of one that ended the process, how."""
        found: list[dict[str, Any]] = []
        with tempfile.TemporaryDirectory(prefix="varstudy-") as held:
            request = Path(held) / "request.json"
            while True:
                words = {
                    "adapter": str(self.framework.script()), "threads": threads, "groups": GROUPS,
                    "shapes": shapes(given.size, given.rows),
                    "tables": [[mean, str(file)] for mean, file in given.files.items()],
                    "skip": [[each["kind"], each["variant"], each["mean"]] for each in found],
                }  # fmt: skip
                request.write_text(json.dumps(words), "utf-8")
                end = child.run(self.there.python, SCRIPT, [str(request)], seconds=self.seconds, threads=threads,
                                variables=self.there.variables)  # fmt: skip
                observed = end.answer if isinstance(end.answer, dict) else {}
                self.versions = observed.get("versions") or self.versions
                self.python = observed.get("python", self.python)
                found += observed.get("answers", [])
                asking = observed.get("asking")
                if end.ok:
                    return found
                if not isinstance(asking, list):
                    return [*found, {"kind": "", "variant": "", "mean": math.nan, "died": end.sentence}]
                found.append({"kind": asking[0], "variant": asking[1], "mean": asking[2], "died": end.sentence})


class _Reader:
    """Reads a framework's variances from its outputs by its committed conventions."""

    def __init__(self, framework: str, known: Sequence[conventions.FindingRow]) -> None:
        self.framework = framework
        self.law = laws(known, framework)
        own = [row for row in known if row.framework == framework and row.status == FindingStatus.MEASURED]
        self.known = {(row.kind, row.variant, row.property): row.plain() for row in own}

    def row(self, answer: Mapping[str, Any], given: _Tables, threads: str, version: str) -> DrawRow:
        kind, variant = answer["kind"], answer["variant"]
        memory = "channels-last" if variant.startswith(("NHWC", "channels")) else "contiguous"
        row = DrawRow(
            self.framework, version, kind, variant, memory, threads, given.size, answer["mean"], given.rows,
            DrawStatus.MEASURED.value,
        )  # fmt: skip
        law = self.law(kind, variant)
        for key, status in (
            ("unsupported", DrawStatus.UNSUPPORTED),
            ("raised", DrawStatus.REFUSED),
            ("died", DrawStatus.FAILED),
        ):
            if key in answer:
                row.status, row.reason = status.value, answer[key]
                return row
        if isinstance(law, str):
            row.status, row.reason = DrawStatus.NOT_READ.value, law
            return row
        self._score(row, answer, given, law[0])
        return row

    def _score(self, row: DrawRow, answer: Mapping[str, Any], given: _Tables, law: Law) -> None:
        table, moments = given.table(row.mean), given.moments[row.mean]
        shown = []
        for values, outputs, squares in zip(table, answer["rows"], moments.squares, strict=True):
            true = float(squares) / (row.size - law.correction)
            found, resolution = implied(values, outputs, true, law)
            row.not_finite += int(not outputs["finite"])
            row.zero += int(found <= 0)
            shown.append(Implied(found / true - 1 if math.isfinite(found) else math.inf, resolution))
        running = self._from_running(row, answer.get("running"), moments)
        best = [
            kept if math.isfinite(kept.error) and math.isfinite(output.error) else output
            for output, kept in zip(shown, Measured(shown, running).best(), strict=True)
        ]
        errors = np.array([abs(each.error) for each in best])
        row.least, row.worst = _digits(errors.min()), _digits(errors.max())
        row.median = _digits(np.sort(errors)[(errors.size - 1) // 2])
        row.signed = _digits(max((each.error for each in best), key=abs))
        row.resolution = _digits(np.sort([each.resolution for each in best])[(errors.size - 1) // 2])
        row.unresolved = sum(bool(abs(each.error) <= each.resolution) for each in best)

    def _from_running(self, row: DrawRow, kept: Mapping[str, Any] | None, moments: Moments) -> list[Implied]:
        """From a running variance that is the batch's alone: its running mean is the batch's, too."""
        keeps, correction = (
            self.known.get((row.kind, row.variant, name)) for name in ("running.keeps", "correction.running")
        )
        if kept is None or keeps != RunningSpread.VARIANCE or correction not in (0, 1):
            return []
        mean, var = (np.array([float.fromhex(v) for v in kept[name]]) for name in ("mean", "var"))
        near = _ADOPTED * max(1.0, row.mean)
        if mean.shape != moments.mean.shape or not (np.abs(mean - moments.mean) < near).all():
            return []
        true = moments.squares / (row.size - int(str(correction)))
        return [Implied(v / t - 1, 4 * UNIT * max(1.0, abs(v) / t)) for v, t in zip(var, true, strict=True)]


def _digits(value: float) -> float:
    return float(f"{value:.2e}")


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("rows", "running", "raised", "unsupported", "died"))


def _of_size(process: _Process, reader: _Reader, given: _Tables) -> Iterator[DrawRow]:
    runs = [{(a["kind"], a["variant"], a["mean"]): a for a in process.answers(given, threads)} for threads in THREADS]
    for key in dict.fromkeys(key for run in runs for key in run):
        answers = {str(threads): run[key] for threads, run in zip(THREADS, runs, strict=True) if key in run}
        first, *others = answers.values()
        if others and all(_same(first, other) for other in others):
            answers = {" and ".join(answers): first}
        for threads, answer in answers.items():
            yield reader.row(answer, given, threads, process.version)


def measure(
    named: Sequence[Framework],
    where: Callable[[Framework], Interpreter],
    *,
    sizes: Sequence[int] = SIZES,
    means: Sequence[float] = MEANS,
    rows: int = ROWS,
    findings: Sequence[conventions.FindingRow] | None = None,
    repeats: int = 1,
    seconds: float = SECONDS,
    say: Callable[[str], None] = lambda _: None,
) -> list[MeasuredDraws]:
    """Measure frameworks; the rows of a size are made once for all of them.

    Parameters
    ----------
    named : the frameworks. where : gives the interpreter that has one; raises `EnvironmentProblem`.
    sizes, means, rows : what is asked. findings : of the conventions, instead of the committed ones.
    repeats : runs of each framework, which are compared. seconds : for each process. say : gets a line now and then.
    """
    known = conventions.committed() if findings is None else findings
    ready: list[tuple[Framework, list[_Process], MeasuredDraws]] = []
    machine = str(provenance.cpu()["model"])
    for framework in named:
        fact = DrawFact(framework.name, framework.title, "measured", machine=machine,
                        date=datetime.now(timezone.utc).date().isoformat())  # fmt: skip
        try:
            processes = [_Process(framework, where(framework), seconds) for _ in range(repeats)]
        except EnvironmentProblem as problem:
            fact.status, fact.reason, processes = "not measured", str(problem), []
        ready.append((framework, processes, MeasuredDraws(fact, [])))
    changed = dict.fromkeys((framework.name for framework in named), 0)
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="varstudy-") as held:
            given = _written(size, means, rows, Path(held))
            for framework, processes, found in ready:
                reader = _Reader(framework.name, known)
                runs = [list(_of_size(process, reader, given)) for process in processes]
                found.rows += runs[0] if runs else []
                for other in runs[1:]:
                    changed[framework.name] += sum(repr(a) != repr(b) for a, b in zip(runs[0], other, strict=False))
                    changed[framework.name] += abs(len(runs[0]) - len(other))
                say(f"{framework.name}: {size} values a row")
    for framework, processes, found in ready:
        if processes:
            found.fact.version = processes[0].version
            found.fact.python = processes[0].python
            number = changed[framework.name]
            again = f"{number} of {len(found.rows)} rows differ" if number else "same errors"
            found.fact.repeated = again if repeats > 1 else "run once"
    return [found for _, _, found in ready]


def settings() -> dict[str, Any]:
    """What the head of a file says of how it was measured."""
    return {
        "rows": ROWS, "sizes": list(SIZES), "means": list(MEANS), "deviation": 1, "storage": "float32",
        "groups": GROUPS, "seed": SEED, "threads": list(THREADS), "seconds": SECONDS,
        "shapes": {str(size): {kind: list(shape) for kind, shape in shapes(size).items()} for size in SIZES},
    }  # fmt: skip
