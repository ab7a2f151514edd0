"""Asks the norms of frameworks for outputs and gradients, and scores them."""

from __future__ import annotations

import io
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import FORMATS, Format
from varkernels.norms.answers import ExactArray
from varkernels.norms.backward import norm_backward
from varkernels.norms.forward import norm_forward
from varkernels.norms.pairs import rounded

from ..._io import child, provenance
from ...study.element_score import score_elements
from ..environments import EnvironmentProblem, Interpreter
from ..frameworks.declaring import Framework
from ..probes import SCRIPTS
from .asking import EPSILON, GROUPS, SEED, Ask, Input, asks, inputs
from .elements_record import ElementFact, ElementRow, Outcome

__all__ = ["FILE", "Measured", "measure"]

SCRIPT = SCRIPTS / "layer_elements.py"
# A framework's own, in its folder.
FILE = "elements.py"
# For a process, which answers all asks on some inputs.
SECONDS = 600.0
# Values of the inputs of one process.
TOGETHER = 5_000_000
THREADS = (1, 2)


@dataclass
class Measured:
    """What is measured of one framework."""

    fact: ElementFact
    rows: list[ElementRow]


@dataclass(frozen=True)
class _Answer:
    """One array of a layer, or why there is none."""

    outcome: Outcome
    reason: str = ""
    dtype: str = ""
    array: NDArray[Any] | None = None

    def same(self, other: _Answer) -> bool:
        if self.array is None or other.array is None:
            return (self.outcome, self.reason, self.array is None) == (other.outcome, other.reason, other.array is None)
        return self.dtype == other.dtype and self.array.tobytes() == other.array.tobytes()


class _Exact:
    """The exact arrays of one input, made when they are first asked for."""

    def __init__(self, one: Input) -> None:
        self.one, self.given = one, one.arrays()
        self.of = lru_cache(None)(self._of)

    def _of(self, kind: str, training: bool, absent: bool) -> dict[str, ExactArray]:
        names = ("weight",) if absent else ("weight", "bias")
        more: dict[str, Any] = {} if absent else {name: self.given[name] for name in names}
        if kind == "rms":
            more.pop("bias", None)
        if not training:
            more |= {name: self.given[name] for name in ("mean", "variance")}
        where: dict[str, Any] = {"norm": kind, "groups": GROUPS, "epsilon": EPSILON}
        if self.one.what == "forward":
            return {"y": norm_forward(self.given["x"], **where, **more)}
        more.pop("bias", None)
        found = norm_backward(self.given["x"], self.given["dy"], **where, **more)
        return {"dx": found.dx, "dweight": found.dweight, "dbias": found.dbias}


# The arrays of inputs, by their names.
Given = Mapping[str, Mapping[str, NDArray[Any]]]


def packed(given: Given) -> bytes:
    """The arrays of inputs for the probe: bfloat16 as float32."""
    file = io.BytesIO()
    flat = {f"{name}/{k}": v for name, arrays in given.items() for k, v in arrays.items()}
    plain = {k: v if v.dtype in (np.float16, np.float32) else v.astype(np.float32) for k, v in flat.items()}
    np.savez(file, **plain)  # type: ignore[arg-type]
    return file.getvalue()


def names_of(ask: Ask) -> tuple[str, ...]:
    """The arrays that an ask is for."""
    if ask.what == "forward":
        return ("y",)
    return ("dx", "dweight") if ask.kind == "rms" else ("dx", "dweight", "dbias")


class _Process:
    """One framework, asked in processes of its interpreter."""

    def __init__(self, framework: Framework, there: Interpreter, seconds: float) -> None:
        self.script, self.there, self.seconds = framework.script().with_name(FILE), there, seconds
        self.versions: dict[str, str] = {}
        self.python = ""

    def answers(self, given: Given, wanted: Sequence[Ask], threads: int) -> list[dict[str, _Answer]]:
        """What each ask is answered, by the name of the array."""
        with tempfile.TemporaryDirectory(prefix="varstudy-") as held:
            request, arrays = Path(held) / "request.json", Path(held) / "arrays.npz"
            arrays.write_bytes(packed(given))
            found: dict[int, dict[str, Any]] = {}
            while len(found) < len(wanted):
                todo = [self._asked(k, ask) for k, ask in enumerate(wanted) if k not in found]
                words = {"adapter": str(self.script), "threads": threads, "folder": held, "asks": todo}
                request.write_text(json.dumps(words), "utf-8")
                end = child.run(self.there.python, SCRIPT, [str(request), str(arrays)], seconds=self.seconds,
                                threads=threads, variables=self.there.variables)  # fmt: skip
                observed = end.answer if isinstance(end.answer, dict) else {}
                self.versions = observed.get("versions") or self.versions
                self.python = observed.get("python", self.python)
                found |= {int(k): each for k, each in observed.get("asks", {}).items()}
                if end.ok:
                    break
                asking = observed.get("asking")
                stuck = [asking] if isinstance(asking, int) else [k for k in range(len(wanted)) if k not in found]
                found |= {k: {"died": end.sentence} for k in stuck}
            return [self._read(Path(held), k, ask, found.get(k, {})) for k, ask in enumerate(wanted)]

    @staticmethod
    def _asked(k: int, ask: Ask) -> dict[str, Any]:
        return {
            "id": k, "what": ask.what, "kind": ask.kind, "input": ask.input, "dtype": ask.storage,
            "parameters": ask.parameters, "memory": ask.memory, "training": ask.training, "groups": GROUPS,
            "epsilon": EPSILON,
        }  # fmt: skip

    @staticmethod
    def _read(held: Path, k: int, ask: Ask, said: Mapping[str, Any]) -> dict[str, _Answer]:
        for key, outcome in (
            ("unsupported", Outcome.UNSUPPORTED),
            ("raised", Outcome.REFUSED),
            ("died", Outcome.FAILED),
        ):
            if key in said:
                return {name: _Answer(outcome, said[key]) for name in names_of(ask)}
        found = {}
        for name in names_of(ask):
            about = said.get("answers", {}).get(name)
            found[name] = (
                _Answer(Outcome.UNSUPPORTED, f"the framework gives no {name}")
                if about is None
                else _Answer(Outcome.SCORED, "", about["dtype"], np.load(held / f"{k}-{name}.npy"))
            )
        return found


def _format(ask: Ask, name: str) -> str:
    """The format that an array should come in."""
    own = name in ("y", "dx") or ask.parameters != "float32"
    return ask.storage if own else "float32"


def _size(ask: Ask, one: Input, name: str) -> int:
    if name in ("dweight", "dbias") or ask.kind == "batch":
        return math.prod(one.shape) // one.shape[1]
    each = {"group": one.shape[1] // GROUPS, "instance": 1}.get(ask.kind, one.shape[1])
    return each * math.prod(one.shape[2:])


def _row(framework: str, ask: Ask, one: Input, name: str, threads: str, answer: _Answer, exact: _Exact) -> ElementRow:
    mode = "training" if ask.training else "evaluation"
    row = ElementRow(
        framework, ask.kind, name, mode, ask.storage, ask.parameters, ask.memory, threads, ask.input,
        _size(ask, one, name), answer.outcome.value, answer.reason, answer.dtype,
    )  # fmt: skip
    if answer.array is None:
        return row
    true = exact.of(ask.kind, ask.training, ask.parameters == "absent")[name]
    if answer.array.shape != true.high.shape:
        row.outcome = Outcome.OTHER_SHAPE.value
        row.reason = f"{name} has the shape {answer.array.shape}, and {true.high.shape} was expected"
        return row
    if answer.dtype not in FORMATS:
        row.outcome, row.reason = Outcome.OTHER_DTYPE.value, f"{name} has the dtype {answer.dtype}, which is not scored"
        return row
    if answer.dtype != _format(ask, name):
        row.outcome = Outcome.OTHER_DTYPE.value
        row.reason = f"{name} has the dtype {answer.dtype}, and {_format(ask, name)} was expected"
    fmt: Format = FORMATS[answer.dtype]
    if true.format != fmt:
        true = ExactArray(rounded(true.high, true.low, fmt), true.high, true.low, fmt)
    score = score_elements(true, answer.array, fmt)
    row.status = score.status.value
    row.elements, row.out_of_range, row.not_finite = score.elements, score.out_of_range, score.not_finite
    for each in ("units_worst", "units_median", "error", "stored"):
        setattr(row, each, _digits(getattr(score, each), 3))
    row.computed, row.exact = _digits(score.computed, 9), _digits(score.exact, 9)
    return row


def _digits(value: float, count: int) -> float:
    return float(f"{value:.{count - 1}e}")


def grouped(given: Sequence[Input]) -> Iterator[list[Input]]:
    """Neighbouring inputs of one storage format and one purpose, for one process: up to `TOGETHER` values."""
    group: list[Input] = []
    for one in given:
        size = sum(math.prod(each.shape) for each in (*group, one))
        if group and ((one.what, one.storage) != (group[0].what, group[0].storage) or size > TOGETHER):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _measured(process: _Process, framework: str, exacts: Mapping[str, _Exact]) -> Iterator[ElementRow]:
    wanted = [ask for exact in exacts.values() for ask in asks(exact.one)]
    given = {name: exact.given for name, exact in exacts.items()}
    runs = [process.answers(given, wanted, threads) for threads in THREADS]
    both = " and ".join(map(str, THREADS))
    for k, ask in enumerate(wanted):
        for name in names_of(ask):
            answers = [run[k][name] for run in runs]
            alike = all(answers[0].same(other) for other in answers[1:])
            for threads, answer in zip([both] if alike else map(str, THREADS), answers, strict=False):
                yield _row(framework, ask, exacts[ask.input].one, name, threads, answer, exacts[ask.input])


def measure(
    named: Sequence[Framework],
    where: Callable[[Framework], Interpreter],
    *,
    given: Sequence[Input] | None = None,
    repeats: int = 1,
    seconds: float = SECONDS,
    say: Callable[[str], None] = lambda _: None,
) -> list[Measured]:
    """Measure frameworks; the exact arrays of an input are computed once for all of them.

    Parameters
    ----------
    named : the frameworks. where : gives the interpreter that has one; raises `EnvironmentProblem`.
    given : the inputs; all of `asking.inputs` by default. repeats : runs of each framework, which are compared.
    seconds : for each process. say : gets a line now and then.
    """
    ready: list[tuple[Framework, list[_Process], Measured]] = []
    machine = str(provenance.cpu()["model"])
    for framework in named:
        fact = ElementFact(framework.name, framework.title, "measured", machine=machine,
                           date=datetime.now(timezone.utc).date().isoformat())  # fmt: skip
        found = Measured(fact, [])
        try:
            if not framework.script().with_name(FILE).is_file():
                raise EnvironmentProblem(f"its folder has no {FILE}")
            ready.append((framework, [_Process(framework, where(framework), seconds) for _ in range(repeats)], found))
        except EnvironmentProblem as problem:
            fact.status, fact.reason = "not measured", str(problem)
            ready.append((framework, [], found))
    changed = dict.fromkeys((framework.name for framework in named), 0)
    for group in grouped(inputs() if given is None else given):
        exacts = {one.name: _Exact(one) for one in group}
        for framework, processes, found in ready:
            runs = [list(_measured(process, framework.name, exacts)) for process in processes]
            found.rows += runs[0] if runs else []
            for other in runs[1:]:
                changed[framework.name] += sum(repr(a) != repr(b) for a, b in zip(runs[0], other, strict=False))
                changed[framework.name] += abs(len(runs[0]) - len(other))
            say(f"{framework.name}: {group[-1].name}")
    for framework, processes, found in ready:
        if processes:
            found.fact.version = ", ".join(f"{name} {number}" for name, number in processes[0].versions.items())
            found.fact.python = processes[0].python
            number = changed[framework.name]
            again = f"{number} of {len(found.rows)} arrays differ" if number else "same scores"
            found.fact.repeated = again if repeats > 1 else "run once"
            found.rows = _without_repetitions(found.rows)
    return [found for _, _, found in ready]


def _without_repetitions(given: Sequence[ElementRow]) -> list[ElementRow]:
    """What a framework has not stands once, for the first input for which it was asked.

    What it refuses for the same reason stands once for each storage format.
    """
    seen: set[tuple[str, ...]] = set()
    kept = []
    for row in given:
        if row.outcome in (Outcome.UNSUPPORTED, Outcome.REFUSED):
            storage = row.storage if row.outcome == Outcome.REFUSED else ""
            key = (row.kind, row.array, row.mode, row.parameters, row.memory, row.reason, storage)
            if key in seen:
                continue
            seen.add(key)
        kept.append(row)
    return kept


def settings() -> dict[str, Any]:
    """What the head of a file says of how it was measured."""
    return {"epsilon": EPSILON, "groups": GROUPS, "seed": SEED, "threads": list(THREADS), "seconds": SECONDS}
