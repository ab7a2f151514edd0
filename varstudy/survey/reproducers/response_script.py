"""Findings on local response normalisation: what contradicts the documentation, and sums that slide."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

from .. import response
from ..findings.measured import shown
from ..frameworks.catalogue import FRAMEWORKS
from ..response.inferring import PROPERTIES
from .finding import Finding, NoScript, address
from .recipes import recipe
from .upstream import states

__all__ = ["response_findings"]

SLIDING = "sliding"
# For each property: the size, the channels, and the exact outputs by the value that is documented. alpha / n is 1.
_CALLS: dict[str, tuple[int, list[float], dict[str, list[float]]]] = {
    "channels": (3, [3.0, 3, 3, 3], {"all": [3 / 19, 3 / 28, 3 / 28, 3 / 19]}),
    "sum": (3, [1e5, 1, 1, 1, 1], {"direct": [1e5 / (1e10 + 2), 1 / (1e10 + 3), 1 / 4, 1 / 4, 1 / 3]}),
    "size.even": (
        2,
        [1.0, 3, 9],
        {"n + 1 channels": [1 / 11, 3 / 92, 9 / 91], "one more after": [1 / 11, 3 / 91, 9 / 82]},
    ),
}


def response_findings() -> Iterator[Finding]:
    """Each measured value that contradicts a documented one, and each sum that slides."""
    content = response.committed()
    said = {(fact.framework, fact.property): fact for fact in response.documented()}
    for row in response.rows(content):
        value, fact = json.loads(row.value), said.get((row.framework, row.property))
        slides = row.property == "sum" and value == SLIDING
        if value is None or not (slides or (fact is not None and fact.value != value)):
            continue
        wanted = "direct" if slides or fact is None else fact.value
        name = address(row.framework, "response", row.property)
        known = "" if slides else f", documented {shown(wanted)}"
        wrong = [score.input for score in response.scores(content)
                 if slides and score.framework == row.framework and score.status == "wrong"]  # fmt: skip
        lost = f"; wrong in float32 for {', '.join(wrong)}" if wrong else ""
        yield Finding(
            name,
            f"{FRAMEWORKS[row.framework].title}, local response normalisation: {PROPERTIES[row.property][0]}",
            f"measured {shown(value)}{known}{lost} ({row.version}, {row.date})",
            f"response norm LRN {'cancellation NaN' if slides else 'contradiction of the documentation'}",
            states(name),
            partial(_script, row.framework, row.property, wanted),
        )


def _script(framework: str, prop: str, wanted: str) -> list[str]:
    how = recipe(FRAMEWORKS[framework])
    size, x, outputs = _CALLS.get(prop, (0, [], {}))
    if not how.response or wanted not in outputs:
        raise NoScript(f"no short script shows {prop}: 'python -m varstudy.survey.response.commit' measures it")
    given = {"size": str(size), "alpha": f"{size}.0"}
    lines = list(how.response)
    for name, value in given.items():
        lines = [line.replace("{" + name + "}", value) for line in lines]
    exact = ", ".join(f"{value:.9g}" for value in outputs[wanted])
    return [
        "import numpy",
        *how.imports,
        "",
        f"x = numpy.array({x}, 'float32').reshape(1, {len(x)}, 1, 1)",
        *lines,
        f"exact = numpy.array([{exact}])  # {wanted}",
        f'print({how.version}, "found", y.ravel(), "exact", exact)',
        'assert numpy.allclose(y.ravel(), exact, rtol=1e-4, atol=0), "other outputs"',
    ]
