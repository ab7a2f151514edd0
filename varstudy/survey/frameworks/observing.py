"""Measure one framework: run its probe in a process with limits, and turn the observations into rows of findings."""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._io.child import Outcome, run
from ..._io.provenance import cpu
from ..._io.record_file import encode
from ..environments import EnvironmentProblem, Interpreter, install, installed
from ..environments.installing import variables as surroundings
from ..findings.measured import FindingRow
from ..findings.properties import SYNC, FindingStatus
from ..inference import infer, sync
from ..probes import SCRIPTS
from .catalogue import find
from .declaring import Framework

__all__ = ["THREADS", "place", "probe"]

THREADS = (1, 2)
# How often a process that died at a question is followed by one that asks the rest.
RESTARTS = 12
# An end of the process that says something of the question under way.
AT_A_QUESTION = ("killed", "timed out", "memory")


def place(
    framework: Framework, *, make: bool = False, isolated: bool = False, say: Callable[[str], None] = lambda text: None
) -> Interpreter:
    """Find the interpreter that runs a framework: this one where it can, else that of its environment.

    Parameters
    ----------
    make : install that where it is not there. isolated : leave this interpreter out.

    Raises
    ------
    EnvironmentProblem
        There is none, or it cannot be made; a sentence says why.
    """
    if framework.importable() and not isolated:
        return Interpreter(sys.executable, framework.variables, "this environment")
    environment = framework.place()
    ready = install(environment, say) if make else installed(environment)
    if ready is None:
        raise EnvironmentProblem(
            f"{framework.name} is not installed: 'python -m varstudy frameworks --install {framework.name}' does that"
        )
    return Interpreter(str(ready.python), {**surroundings(environment), **framework.variables}, environment.name)


def probe(
    name: str | Framework,
    *,
    threads: Sequence[int] = THREADS,
    make: bool = False,
    isolated: bool = False,
    only: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[FindingRow]:
    """Measure what the layers of one framework do. One that cannot be asked has a row that says why.

    Parameters
    ----------
    threads : the probe runs with each of these numbers; of the later ones only what differs has rows.
    make, isolated : as of `place`. only : one kind: batch, layer, group, instance, rms, sync.

    Raises
    ------
    ValueError
        There is no framework of this name.
    """
    framework = find(name) if isinstance(name, str) else name
    machine = str(cpu()["model"])
    try:
        where = place(framework, make=make, isolated=isolated, say=say)
    except EnvironmentProblem as problem:
        return [_Observed(framework, {}, threads[0], machine).trouble(FindingStatus.NOT_RUN, str(problem))]
    found: list[FindingRow] = []
    for count in threads if only != SYNC else ():
        say(f"{framework.name}: probing in {where.title}, {count} thread{'s' if count > 1 else ''}")
        answers, end = observe(framework, where, count, only)
        observed = _Observed(framework, answers, count, machine)
        now = observed.rows(infer) if answers.get("variants") else []
        if end.ok and not answers["variants"] and only is None:
            end = Outcome("garbled", None, "its adapter offers no layer")
        if not end.ok:
            part = "; what it answered before is here" if now else ""
            now.append(observed.trouble(FindingStatus.FAILED, end.sentence + part))
        before = {row.key()[:4]: row for row in found}
        found += [row for row in now if not _same(before.get(row.key()[:4]), row)]
        if not answers.get("variants"):
            return found  # it does not start at all
    if framework.sync and only in (None, SYNC):
        say(f"{framework.name}: several ranks in {where.title}")
        found += _synchronised(framework, where, threads[0], machine)
    return found


def _synchronised(framework: Framework, where: Interpreter, threads: int, machine: str) -> list[FindingRow]:
    """Measure its batch norm on several ranks, with its own script."""
    words = [str(framework.sync_script())]
    end = run(
        where.python, SCRIPTS / "sync.py", words, seconds=framework.seconds, threads=threads, variables=where.variables
    )
    answers = end.answer if isinstance(end.answer, dict) else {}
    if end.ok and not (isinstance(answers.get("runs"), list) and answers["runs"]):
        end, answers = Outcome("garbled", None, "what it wrote are no observations"), {}
    observed = _Observed(framework, answers, threads, machine, SYNC)
    rows = observed.rows(sync.findings) if answers else []
    if not end.ok:
        rows.append(observed.trouble(FindingStatus.FAILED, f"several ranks: {end.sentence}"))
    return rows


def observe(framework: Framework, where: Interpreter, threads: int, only: str | None) -> tuple[dict[str, Any], Outcome]:
    """Run the probe: its observations, and how it ended. A run that dies at a question goes on after that question."""
    observed: dict[str, Any] = {}
    words = ["--adapter", str(framework.script()), "--threads", str(threads)]
    words += [] if only is None else ["--only", only]
    deadline = time.monotonic() + 2 * framework.seconds
    done: list[str] = []
    for _ in range(RESTARTS):
        end = run(
            where.python,
            SCRIPTS / "probe.py",
            [*words, *(word for label in done for word in ("--skip", label))],
            seconds=min(framework.seconds, max(1.0, deadline - time.monotonic())),
            threads=threads,
            variables=where.variables,
        )
        given = end.answer if _readable(end.answer) else {}
        if end.ok and not given:
            end = Outcome("garbled", None, "what it wrote are no observations", 0, end.tail, end.seconds, end.peak)
        asking = given.get("asking")
        _merge(observed, given)
        if end.kind not in AT_A_QUESTION or asking in (None, "import") or asking in done:
            break
        _note(observed, str(asking), end.sentence)
        done = [f"{kind}, {variant}: {question}" for kind, variant, question in _answered(observed)]
        if time.monotonic() >= deadline:
            break
    return observed, end


def _readable(answer: Any) -> bool:
    if not isinstance(answer, dict) or not isinstance(answer.get("variants"), list):
        return False
    parts = answer["variants"]
    return all(isinstance(part, dict) and isinstance(part.get("answers"), dict) for part in parts)


def _merge(observed: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Add the answers of a later run; earlier answers stay."""
    variants = observed.get("variants", [])
    observed.update({key: value for key, value in given.items() if key != "variants"})
    observed["variants"] = variants
    known = {(part.get("kind"), part.get("variant")): part for part in variants}
    for part in given.get("variants", []):
        key = (part.get("kind"), part.get("variant"))
        if key in known:
            known[key]["answers"] = {**part["answers"], **known[key]["answers"]}
        else:
            variants.append(part)


def _note(observed: dict[str, Any], asking: str, sentence: str) -> None:
    """Record how the process died as the answer to the question it died at."""
    for part in observed["variants"]:
        start = f"{part.get('kind')}, {part.get('variant')}: "
        if asking.startswith(start):
            part["answers"][asking[len(start) :]] = {"error": f"process: {sentence}"}


def _answered(observed: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [(part["kind"], part["variant"], question) for part in observed["variants"] for question in part["answers"]]


def _same(before: FindingRow | None, row: FindingRow) -> bool:
    return before is not None and (before.value, before.status) == (row.value, row.status)


def _text(value: Any) -> str:
    """JSON of a finding's value: empty for none; NaN and infinities as strings."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return json.dumps([encode(each) for each in value], allow_nan=False)
    if isinstance(value, Mapping):
        return json.dumps({str(k): encode(v) for k, v in value.items()}, allow_nan=False)
    return json.dumps(encode(value), allow_nan=False)


def _tidy(text: str) -> str:
    """One line without the folders of this machine."""
    for folder in (str(Path.home()), tempfile.gettempdir(), sys.prefix):
        text = re.sub(re.escape(folder) + r"(?:/[^\s:'\",)]*)?/", "", text) if len(folder) > 1 else text
    return " ".join(text.split())[:600]


@dataclass(frozen=True)
class _Observed:
    """What a process with some threads observed of a framework on a machine; `kind` is of rows that tell of trouble."""

    framework: Framework
    answers: Mapping[str, Any]
    threads: int
    machine: str
    kind: str = ""

    def rows(self, reading: Callable[[Mapping[str, Any]], list[dict[str, Any]]]) -> list[FindingRow]:
        """The findings that a reading of the answers gives; one row with the reason where it cannot read them."""
        try:
            return [
                self._row(
                    str(finding["kind"]),
                    str(finding["variant"]),
                    str(finding["property"]),
                    _text(finding.get("value")),
                    str(finding["status"]),
                    str(finding.get("detail") or ""),
                    str(self.answers.get("date", "")),
                )
                for finding in reading(self.answers)
            ]
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
            sentence = f"its observations cannot be understood ({type(error).__name__}: {error})"
            return [self.trouble(FindingStatus.FAILED, sentence)]

    def trouble(self, status: str, sentence: str) -> FindingRow:
        """The row of a framework that could not be asked, or not to the end."""
        date = str(self.answers.get("date") or time.strftime("%Y-%m-%d", time.gmtime()))
        return self._row(self.kind, "", "probe", "", status, sentence, date)

    def _row(self, kind: str, variant: str, name: str, value: str, status: str, detail: str, date: str) -> FindingRow:
        """A row; its version has every package: ``keras 3.15.1, jax 0.10.2``."""
        versions = self.answers.get("versions")
        pairs = versions.items() if isinstance(versions, dict) else ()
        version = ", ".join(f"{package} {number}" for package, number in pairs)
        python = str(self.answers.get("python", ""))
        return FindingRow(self.framework.name, kind, variant, name, value, status, _tidy(detail), version, python,
                          self.threads, date, self.machine)  # fmt: skip
