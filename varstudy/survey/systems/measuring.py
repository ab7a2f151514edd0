"""Frameworks are asked for systems, each framework in a process of its interpreter."""

from __future__ import annotations

import io
import json
import math
import tempfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from ..._io import child
from ...study.element_score import score_elements
from ..environments import Interpreter
from ..frameworks.declaring import Framework
from ..probes import SCRIPTS
from .system import Answer, Ask, Scored, System
from .systems_record import SystemRow, SystemScore, SystemsProblem

__all__ = ["FILE", "measure"]

SCRIPT = SCRIPTS / "system_outputs.py"
# A framework's own, in its folder.
FILE = "systems.py"
SECONDS = 300.0


def _asked(framework: Framework, there: Interpreter, calls: Mapping[str, list[Ask]]) -> Any:
    with tempfile.TemporaryDirectory(prefix="varstudy-") as held:
        request, arrays, packed = Path(held) / "request.json", Path(held) / "arrays.npz", io.BytesIO()
        names = {name: [f"{name} {k}" for k in range(len(asks))] for name, asks in calls.items()}
        every = {name: ask.x for each, asks in calls.items() for name, ask in zip(names[each], asks, strict=True)}
        np.savez(packed, **every)  # type: ignore[arg-type]
        arrays.write_bytes(packed.getvalue())
        asked = {
            name: [{"x": x, "given": dict(ask.given)} for x, ask in zip(names[name], asks, strict=True)]
            for name, asks in calls.items()
        }
        request.write_text(json.dumps({"adapter": str(framework.script().with_name(FILE)), "asks": asked}), "utf-8")
        end = child.run(there.python, SCRIPT, [str(request), str(arrays)], seconds=SECONDS, threads=1,
                        variables=there.variables)  # fmt: skip
    if not end.ok:
        raise SystemsProblem(f"{framework.name} was not measured: {end.sentence}")
    return end.answer


def measure(
    framework: Framework, there: Interpreter, systems: Mapping[str, System]
) -> tuple[list[SystemRow], list[SystemScore]]:
    """The conventions of a framework's systems, and the errors of its outputs on the study's inputs.

    Parameters
    ----------
    framework : its folder has a `FILE`. there : an interpreter that has the framework.
    systems : those that are asked for; the framework answers some of them.

    Raises
    ------
    SystemsProblem
        Its process gave no answers.
    """
    scored = {name: system.scored() for name, system in systems.items()}
    calls = {name: [*system.asks.values(), *(each.ask for each in scored[name])] for name, system in systems.items()}
    said = _asked(framework, there, calls)
    version = ", ".join(f"{name} {number}" for name, number in said["versions"].items())
    date = datetime.now(timezone.utc).date().isoformat()
    rows, found = [], []
    for name, given in said["asks"].items():
        system = systems[name]
        answers = dict(zip(system.asks, given, strict=False))
        conventions = system.conventions(answers)
        for prop, value in conventions.items():
            detail = answers[system.raised[prop]].get("raised", "") if prop in system.raised else ""
            rows.append(SystemRow(name, framework.name, prop, json.dumps(value), version, date, detail))
        outputs = given[len(answers) :]
        for each, answer in zip(scored[name], outputs, strict=True):
            score = _scored(name, framework.name, each, answer, conventions)
            found += [] if score is None else [score]
    return rows, found


def _scored(
    system: str, framework: str, scored: Scored, answer: Answer, conventions: Mapping[str, Any]
) -> SystemScore | None:
    row = SystemScore(
        system, framework, scored.input, scored.parameters, "", math.nan, math.nan, 0, answer.get("raised", "")
    )
    exact = scored.exact(conventions)
    if exact is None:
        return None
    if "y" in answer:
        score = score_elements(exact, np.array(answer["y"]).reshape(scored.ask.x.shape), exact.format)
        row.status, row.not_finite = score.status.value, score.not_finite
        row.error, row.units_worst = (float(f"{value:.2e}") for value in (score.error, score.units_worst))
    return row
