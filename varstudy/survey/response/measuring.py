"""Frameworks are asked for local response normalisation, each in a process of its interpreter."""

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
from numpy.typing import NDArray

from varkernels.formats import FLOAT32
from varkernels.norms.answers import ExactArray
from varkernels.norms.response import response_norm_forward

from ..._io import child
from ...study.element_score import score_elements
from ...study.response_orders import PARAMETERS, SIZE, inputs
from ..environments import Interpreter
from ..frameworks.declaring import Framework
from ..probes import SCRIPTS
from .inferring import ASKS, conventions
from .response_record import ResponseProblem, ResponseRow, ResponseScore

__all__ = ["FILE", "measure"]

SCRIPT = SCRIPTS / "response_outputs.py"
# A framework's own, in its folder.
FILE = "response.py"
SECONDS = 120.0


def _asked(
    framework: Framework, there: Interpreter, calls: Mapping[str, tuple[NDArray[Any], Mapping[str, Any]]]
) -> Any:
    with tempfile.TemporaryDirectory(prefix="varstudy-") as held:
        request, arrays, packed = Path(held) / "request.json", Path(held) / "arrays.npz", io.BytesIO()
        np.savez(packed, **{name: x for name, (x, _) in calls.items()})  # type: ignore[arg-type]
        arrays.write_bytes(packed.getvalue())
        asks = [{"x": name, "given": dict(given)} for name, (_, given) in calls.items()]
        request.write_text(json.dumps({"adapter": str(framework.script().with_name(FILE)), "asks": asks}), "utf-8")
        end = child.run(there.python, SCRIPT, [str(request), str(arrays)], seconds=SECONDS, threads=1,
                        variables=there.variables)  # fmt: skip
    if not end.ok:
        raise ResponseProblem(f"{framework.name} was not measured: {end.sentence}")
    return end.answer


def measure(framework: Framework, there: Interpreter) -> tuple[list[ResponseRow], list[ResponseScore]]:
    """The conventions of a framework, and the errors of its outputs on the study's inputs.

    Parameters
    ----------
    framework : its folder has a `FILE`. there : an interpreter that has the framework.

    Raises
    ------
    ResponseProblem
        Its process gave no answers.
    """
    calls: dict[str, tuple[NDArray[Any], Mapping[str, Any]]] = {
        name: (ask.array(), ask.given) for name, ask in ASKS.items()
    }
    scored = {
        f"{name}, {about}": (x[:, :, None, None], {"size": SIZE, "beta": 0.75, **parameters})
        for name, x in inputs().items()
        for about, parameters in PARAMETERS.items()
    }
    said = _asked(framework, there, calls | scored)
    answers = dict(zip(calls | scored, said["asks"], strict=True))
    version = ", ".join(f"{name} {number}" for name, number in said["versions"].items())
    date = datetime.now(timezone.utc).date().isoformat()
    rows = []
    for name, value in conventions(answers).items():
        detail = answers["even"].get("raised", "") if name == "size.even" else ""
        rows.append(ResponseRow(framework.name, name, json.dumps(value), version, date, detail))
    found = [_scored(framework.name, name, x, given, answers[name]) for name, (x, given) in scored.items()]
    return rows, found


def _scored(framework: str, name: str, x: NDArray[Any], given: Mapping[str, Any], answer: Mapping[str, Any]) -> Any:
    about, _, parameters = name.rpartition(", ")
    row = ResponseScore(framework, about, parameters, "", math.nan, math.nan, 0, answer.get("raised", ""))
    if "y" in answer:
        exact: ExactArray = response_norm_forward(x, **given).y
        score = score_elements(exact, np.array(answer["y"]).reshape(x.shape), FLOAT32)
        row.status, row.not_finite = score.status.value, score.not_finite
        row.error, row.units_worst = (float(f"{value:.2e}") for value in (score.error, score.units_worst))
    return row
