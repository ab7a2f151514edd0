"""Every normalisation layer of the frameworks in the league: scored by the variance that its outputs imply.

A layer's outputs are a straight line over its inputs, y = (x - mean) / d, whose slope tells d and so the variance, to
the digits that float32 outputs resolve. An error is reported as at least that resolution: it is at most so large.
"""

from __future__ import annotations

import io
import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import provenance
from ..conventions import record as conventions
from ..conventions.frameworks import FRAMEWORKS, Framework
from ..conventions.frameworks import PROBES as QUESTIONS
from ..conventions.measure import Place, place
from ..environments import EnvironmentProblem, process
from ..names import matches, nearest
from ..recordfile import Cells, RecordFile
from ..score import Exact
from .catalogue import PROBES
from .ranking import Standing, together
from .record import LeagueProblem, Row, results
from .rows import Matrix
from .scoring import Answers, Exacts, score

if TYPE_CHECKING:
    from ..study import Progress

__all__ = [
    "COMMITTED",
    "LAYER",
    "NAME",
    "Law",
    "LayerFact",
    "Layers",
    "chosen",
    "committed",
    "facts",
    "implied",
    "laws",
    "measure",
    "ranked",
    "read",
    "rows",
    "write",
]

NAME = "layers.json"
COMMITTED = Path(__file__).parent / "data" / NAME
SCRIPT = PROBES / "layer_rows.py"
# Batch norm in every variant of a framework; of the others the first that its adapter names.
KINDS = {"batch": "every", "layer": "first", "group": "first", "instance": "first"}
STORAGE = "float32"
LONGEST = 20_000
# For a process in which a framework's layers get all rows; JAX compiles each for each length.
SECONDS = 600.0
# What is left of the variance by the roundings of x - mean, 1 / d, their product and y, relative to d squared.
RESOLUTION = 2.0**-21
# A row of whose variance epsilon hides even the first digit is left out.
HIDDEN = 0.1
# The library of a layer's row, before its framework's title.
LAYER = "layer of "


@dataclass(frozen=True)
class Law:
    """What a layer does with a variance, as it was measured: y = (x - mean) / d, d made of variance and epsilon.

    Attributes
    ----------
    correction : its variance is M2 / (n - correction). epsilon, place : see `varstudy.conventions.properties`.
    """

    correction: int
    epsilon: float
    place: str

    def variance(self, slope: float) -> float:
        """The variance of which d = `slope` (dx / dy) is made; 0 where d is the floor."""
        if self.place == "added to the deviation":
            return (slope - self.epsilon) ** 2
        if self.place.startswith("floor"):
            floor = self.epsilon if self.place == "floor of the variance" else self.epsilon**2
            return 0.0 if slope**2 <= floor * (1 + RESOLUTION) else slope**2
        return slope**2 - (self.epsilon if self.place == "inside the root" else 0.0)

    def spread(self, variance: float) -> float:
        """By how much an error of d squared is larger in the variance, relative to each; infinite where d is a floor.

        d squared is the variance and epsilon; d is the deviation and epsilon.
        """
        if self.place == "inside the root":
            return 1 + self.epsilon / variance
        if self.place == "added to the deviation":
            return 1 + self.epsilon / math.sqrt(variance)
        if self.place.startswith("floor"):
            floor = self.epsilon if self.place == "floor of the variance" else self.epsilon**2
            return math.inf if variance <= floor else 1.0
        return 1.0


@dataclass
class LayerFact(Cells):
    """One layer: whether it was measured, and how its variance is read from its outputs.

    Attributes
    ----------
    function : its name in the league. status : ``measured``, ``failed``, ``not measured``; reason says why.
    title : the layer in its framework's words. correction, epsilon, place : of its `Law`. read_as : the variant whose
        law it is, where its own is undetermined.
    hidden : rows left out since epsilon hides their variance, or since all their values are equal: whatever equal
        outputs were divided by, they stay equal. coarse : rows left out since their outputs are so rough that they
        show no digit of any variance.
    repeated : as of `record.Fact`.
    """

    function: str
    framework: str
    kind: str
    variant: str
    status: str
    reason: str = ""
    title: str = ""
    version: str = ""
    python: str = ""
    date: str = ""
    machine: str = ""
    correction: int = 0
    epsilon: float = math.nan
    place: str = ""
    read_as: str = ""
    hidden: int = 0
    coarse: int = 0
    repeated: str = ""
    seconds: float = math.nan


COMMAND = "python -m varstudy libraries --layers --out DIR"
_PARTS = {"settings": dict, "cases": dict, "facts": list, "provenance": dict}
_FILE = RecordFile(NAME, "varstudy-layers", 1, "record of layers", COMMAND, Row, _PARTS, LeagueProblem, sealed=True)
_FACTS = RecordFile(NAME, "", 1, "", "", LayerFact, {}, LeagueProblem)
rows, write = _FILE.rows, _FILE.write


def read(path: str | Path) -> dict[str, Any]:
    """The content of a file or of the one in a folder.

    Raises
    ------
    FileNotFoundError
        There is none.
    LeagueProblem
        It cannot be read, or holds no layers of this version.
    """
    content = _FILE.read(path)
    try:
        facts(content)
        for row in rows(content):
            results(row, content)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise LeagueProblem(f"{Path(path).name} was edited or cut ({error}): make it again with '{COMMAND}'") from error
    return content


def facts(content: Mapping[str, Any]) -> list[LayerFact]:
    """What is known of each layer."""
    return _FACTS.rows({"rows": content["facts"]})


def committed() -> dict[str, Any]:
    """The layers that come with the package."""
    return read(COMMITTED)


def ranked(league: Mapping[str, Any], layers: Mapping[str, Any], max_length: int = LONGEST) -> list[Standing]:
    """Layers, functions and our algorithms in one table, each on the cases that it can be scored on.

    Raises
    ------
    LeagueProblem
        The layers were measured on other cases than the league.
    """
    if league["cases"][STORAGE] != layers["cases"][STORAGE]:
        raise LeagueProblem(f"the layers were measured on other cases than the league: make both again ({COMMAND})")
    return together(league, STORAGE, max_length=max_length, more=rows(layers), shared=False)


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
        known = f"{', '.join(able)} are known"
        raise ValueError(f"{pattern!r} is no framework whose layers are measured: {nearest(str(pattern), able, known)}")
    return found


def laws(found: Sequence[conventions.Row], framework: str) -> Callable[[str, str], tuple[Law, str] | str]:
    """From committed findings: the law of a kind and variant, and whose it is if another's; or why there is none."""
    known: dict[tuple[str, str], dict[str, conventions.Row]] = {}
    for row in found:
        if row.framework == framework:
            known.setdefault((row.kind, row.variant), {}).setdefault(row.property, row)

    def own(kind: str, variant: str) -> Law | str:
        said = known.get((kind, variant), {})
        uses = said.get("training.statistics")
        if uses is not None and uses.status == "measured" and uses.plain() == "running":
            return "it normalises with its running statistics, which a batch moves only in part"
        divisor, epsilon, where = (
            said.get(f"{n}") for n in ("correction.normalise", "epsilon.default", "epsilon.place")
        )
        if divisor is None or divisor.plain() not in (0, 1):
            return f"its divisor is not known: {divisor.detail if divisor else 'never measured'}"
        if where is None or where.status != "measured":
            return f"the place of its epsilon is not known: {where.detail if where else 'never measured'}"
        if epsilon is None or epsilon.status not in ("measured", "not applicable"):
            return f"its epsilon is not known: {epsilon.detail if epsilon else 'never measured'}"
        return Law(int(divisor.plain()), float(epsilon.plain() or 0.0), str(where.plain()))

    def law(kind: str, variant: str) -> tuple[Law, str] | str:
        mine = own(kind, variant)
        if isinstance(mine, Law):
            return mine, ""
        if "running statistics" not in mine:
            for other_kind, other in sorted(known):
                theirs = own(kind, other) if other_kind == kind else ""
                if isinstance(theirs, Law):
                    return theirs, other
        return mine

    return law


def implied(x: NDArray[Any], told: Mapping[str, Any], exact: float, law: Law) -> tuple[float, float]:
    """The variance that a row's outputs imply, and the resolution relative to the exact one; NaN where they are none.

    Where all inputs are alike, outputs that are one finite constant show the variance 0, and no others do.

    The slope is that between the smallest and the largest input. How far other outputs lie off that line is what the
    layer's roundings do to it; where there are few, so is the grid that the outputs are on, if it is no coarser than
    that of x / d: a layer that computes x * scale + shift rounds there.
    """
    if not told["finite"]:
        return math.nan, 0.0
    if exact == 0:
        return (0.0 if told["alike"] else math.nan), 0.0
    at = np.array(told["at"])
    xs = x[at].astype(np.float64)
    ys = np.array([float.fromhex(v) for v in told["y"]])
    low, high = int(np.argmin(xs)), int(np.argmax(xs))
    rise = float(ys[high] - ys[low])
    if rise == 0:
        return math.inf, 0.0
    slope = float(xs[high] - xs[low]) / rise
    off = float(np.abs(ys - ys[low] - (xs - xs[low]) / slope).max())
    off = max(off, min(_grid(ys), float(np.spacing(np.float32(np.abs(xs / slope).max())))))
    turned = 2 * off / abs(rise)  # each end of the line may be off as far
    if slope < 0:
        return (math.nan, 0.0) if turned < 1 else (math.inf, math.inf)
    found = law.variance(slope)
    more = max(exact, found)
    rough = (1 - turned) ** -2 - 1 if turned < 1 else math.inf
    resolution = (RESOLUTION + rough) * law.spread(more) * (more / exact)
    if found < 0 and found >= -resolution * exact:
        found = 0.0  # not told from it
    return found, resolution


def _grid(y: NDArray[np.float64]) -> float:
    """The largest power of two of which all numbers are multiples; 0 where all are 0."""
    finest = math.inf
    for value in y[y != 0]:
        whole, power = math.frexp(float(value))
        digits = int(abs(whole) * 2**53)
        finest = min(finest, math.ldexp(digits & -digits, power - 53))
    return finest if math.isfinite(finest) else 0.0


def tables(given: Sequence[Matrix]) -> dict[str, tuple[NDArray[Any], list[tuple[int, int]]]]:
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


@dataclass
class Layers:
    """What is measured, ready for `write`."""

    rows: list[Row] = field(default_factory=list)
    facts: list[LayerFact] = field(default_factory=list)
    cases: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def content(self, argv: Sequence[str] | None = None, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """All of it, for the file."""
        made = provenance.collect(argv)
        cpu = {key: made["cpu"][key] for key in ("model", "cores", "machine")}
        about = {key: made[key] for key in ("made", "command", "versions")}
        told = {
            "longest": LONGEST,
            "kinds": KINDS,
            "threads": 1,
            "resolution": RESOLUTION,
            "hidden": HIDDEN,
            "errors": "of a worst row are at most what is written: no less than the resolution of its outputs",
            "epsilon": "the framework's default; a row of whose variance it hides the first digit is left out",
            "rows": "those of the league, in float32, up to the longest",
            "laid_out": "rows of a length are the channels, samples or groups of one input; images are 1 x 2 or 1 x 1",
            **(settings or {}),
        }
        return {
            "settings": told,
            "provenance": {**about, "cpu": cpu},
            "cases": self.cases,
            "facts": [each.record() for each in self.facts],
            "rows": [each.record() for each in self.rows],
        }


class _Shown(Exacts):
    """The exact variances, without those that a layer's outputs do not tell."""

    hidden: Mapping[str, NDArray[np.bool_]]

    def of(self, matrix: Matrix, correction: int) -> tuple[Exact, NDArray[np.bool_]]:
        exact, finite = super().of(matrix, correction)
        hidden = self.hidden.get(matrix.key)
        if hidden is None or not hidden.any():
            return exact, finite
        return Exact([None if hide else v for v, hide in zip(exact.values, hidden, strict=True)]), finite


def measure(
    named: Sequence[Framework],
    given: Sequence[Matrix],
    *,
    where: Callable[[Framework], Place] = place,
    findings: Sequence[conventions.Row] | None = None,
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
    made = Layers()
    made.cases = {STORAGE: [{"case": m.case, "group": m.group, "rows": len(m.values), "values": m.length}
                            for m in given]}  # fmt: skip
    judge = _Judge(given, tables(given))
    known = conventions.committed() if findings is None else findings
    if progress is not None:
        progress.start(len(named), 0)
    try:
        for framework in named:
            judge.framework(made, framework, where, laws(known, framework.name), repeats, seconds)
            if progress is not None:
                progress.advance(framework.name)
    finally:
        if progress is not None:
            progress.stop()
    return made


class _Judge:
    """Asks frameworks and scores what they answer; the exact variances are computed once."""

    def __init__(self, given: Sequence[Matrix], laid: Mapping[str, tuple[NDArray[Any], list[tuple[int, int]]]]) -> None:
        self.given, self.laid = given, laid
        self.exacts = _Shown(given)
        self.machine = str(provenance.cpu()["model"])
        stream = io.BytesIO()
        np.savez(stream, **{key: table for key, (table, _) in laid.items()})  # type: ignore[arg-type]
        self.packed = stream.getvalue()

    def framework(
        self,
        made: Layers,
        framework: Framework,
        where: Callable[[Framework], Place],
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
            made.facts.append(fact("", "", "not measured", str(problem)))
            return
        runs = [self.ask(framework, there, seconds) for _ in range(repeats)]
        said, failures = runs[0]
        version = ", ".join(f"{name} {number}" for name, number in said["versions"].items())
        python = str(said.get("python", ""))
        for (kind, variant), sentence in failures.items():
            made.facts.append(fact(kind, variant, "failed", sentence, version=version, python=python))
        again = [{(e["kind"], e["variant"]): e["answers"] for e in other["layers"]} for other, _ in runs[1:]]
        for layer in said["layers"]:
            key = layer["kind"], layer["variant"]
            told = fact(*key, "measured", version=version, python=python, title=layer["title"])
            told.seconds = layer["seconds"]
            found = law(*key)
            made.facts.append(told)
            if isinstance(found, str):
                told.status, told.reason = "not measured", found
                continue
            rule, told.read_as = found
            told.correction, told.epsilon, told.place = rule.correction, rule.epsilon, rule.place
            differ = [_differing(layer["answers"], other[key]) for other in again if key in other]
            if differ:
                told.repeated = f"{max(differ)} rows differ" if max(differ) else "same bits"
            else:
                told.repeated = "run once"
            number = next(iter(said["versions"].values()), "")
            made.rows.append(self.row(told, framework, number, layer["answers"], rule))

    def row(self, told: LayerFact, framework: Framework, version: str, answers: Mapping[str, Any], law: Law) -> Row:
        """A layer's row; its fact learns how many rows are hidden and coarse."""
        title = LAYER + framework.title
        row = Row(told.function, title, framework.environment, version, STORAGE, "1", law.correction, STORAGE)
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
                    told.hidden += 1
                elif "raised" in answer:
                    raised[matrix.key][line] = True
                elif exact.known[line]:
                    found, resolution = implied(matrix.values[line], answer["rows"][r], true, law)
                    if true == 0 and found == 0:
                        # Outputs of equal values are equal whatever they were divided by.
                        hidden[matrix.key][line] = True
                        told.hidden += 1
                    elif resolution >= 1 and (found == math.inf or abs(found / true - 1) <= resolution):
                        hidden[matrix.key][line] = True
                        told.coarse += 1
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

    def ask(
        self, framework: Framework, there: Place, seconds: float
    ) -> tuple[dict[str, Any], dict[tuple[str, str], str]]:
        """What all layers of a framework answered, and what is not right with those that did not."""
        said: dict[str, Any] = {"versions": {}, "layers": []}
        failures: dict[tuple[str, str], str] = {}
        with tempfile.TemporaryDirectory(prefix="varstudy-") as held:
            request, packed = Path(held) / "request.json", Path(held) / "tables.npz"
            packed.write_bytes(self.packed)
            while True:
                done = [[e["kind"], e["variant"]] for e in said["layers"]] + [list(key) for key in failures]
                request.write_text(
                    json.dumps({"probes": str(QUESTIONS), "folder": str(framework.script().parent), "threads": 1,
                                "adapter": framework.script().stem, "kinds": KINDS, "skip": done}), "utf-8"
                )  # fmt: skip
                end = process.run(there.python, SCRIPT, [str(request), str(packed)], seconds=seconds, threads=1,
                                  variables=there.variables)  # fmt: skip
                answer = end.answer if isinstance(end.answer, dict) else {}
                said["versions"] = answer.get("versions") or said["versions"]
                said["python"] = answer.get("python", "")
                said["layers"] += answer.get("layers", [])
                asking = answer.get("asking", "import")
                if end.ok:
                    return said, failures
                if not isinstance(asking, list):
                    failures["", ""] = end.sentence
                    return said, failures
                failures[asking[0], asking[1]] = end.sentence


def _at_least(found: float, true: float, resolution: float) -> float:
    """A variance that is off as far as the one found, and no less than the resolution."""
    if not math.isfinite(found) or true == 0 or abs(found / true - 1) >= resolution:
        return found
    return true * (1 + resolution)


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> int:
    """Rows whose outputs are other bits in another run."""
    if a.keys() != b.keys():
        return max(1, abs(len(a) - len(b)))
    return sum(
        x != y for key in a for x, y in zip(a[key].get("rows", [a[key]]), b[key].get("rows", [b[key]]), strict=False)
    )
