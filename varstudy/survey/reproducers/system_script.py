"""Findings on systems: what contradicts the documentation, and values that are findings by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .. import systems
from ..findings.measured import shown
from ..frameworks.catalogue import FRAMEWORKS
from ..systems import SYSTEMS, DocumentedSystem, SystemRow
from .finding import Finding, NoScript, address
from .recipes import recipe
from .upstream import states

__all__ = ["system_findings"]


def system_findings() -> Iterator[Finding]:
    """Each measured value that contradicts a documented one, and each that is an alarm."""
    content = systems.committed()
    said = {(fact.system, fact.framework, fact.property): fact for fact in systems.documented()}
    for row in systems.rows(content):
        system, value = SYSTEMS[row.system], row.plain()
        fact = said.get((row.system, row.framework, row.property))
        alarms = value in system.alarms.get(row.property, ())
        if value is None or not (alarms or (fact is not None and fact.value != value)):
            continue
        right = _right(row, None if alarms else fact)
        name = address(row.framework, row.system, row.property)
        known = "" if alarms else f", documented {shown(right)}"
        wrong = [score.input for score in systems.scores(content) if alarms and score.status == "wrong"
                 and (score.system, score.framework) == (row.system, row.framework)]  # fmt: skip
        lost = f"; wrong in float32 for {', '.join(dict.fromkeys(wrong))}" if wrong else ""
        yield Finding(
            name,
            f"{FRAMEWORKS[row.framework].title}, {system.title.lower()}: {system.properties[row.property][0]}",
            f"measured {shown(value)}{known}{lost} ({row.version}, {row.date})",
            f"{row.system} norm {'range cancellation NaN' if alarms else 'contradiction of the documentation'}",
            states(name),
            partial(_script, row.framework, row.system, row.property, right),
        )


def _right(row: SystemRow, fact: DocumentedSystem | None) -> object:
    """What should have been measured: as documented, or what the script's exact outputs are."""
    if fact is not None:
        return fact.value
    script = SYSTEMS[row.system].scripts.get(row.property)
    return next(iter(script.outputs)) if script is not None else None


def _script(framework: str, system: str, prop: str, right: object) -> list[str]:
    how, script = recipe(FRAMEWORKS[framework]), SYSTEMS[system].scripts.get(prop)
    lines = list(how.systems.get(system, ()))
    if not lines or script is None or right not in script.outputs:
        raise NoScript(f"no short script shows {prop}: 'python -m varstudy.survey.systems.commit' measures it")
    for name, value in script.given.items():
        lines = [line.replace("{" + name + "}", value) for line in lines]
    exact = ", ".join(f"{value:.9g}" for value in script.outputs[str(right)])
    return [
        "import numpy",
        *how.imports,
        "",
        f"x = numpy.array({script.x}, 'float32')",
        *lines,
        f"exact = numpy.array([{exact}])  # {right}",
        f'print({how.version}, "found", y.ravel(), "exact", exact)',
        'assert numpy.allclose(y.ravel(), exact, rtol=1e-4, atol=0), "other outputs"',
    ]
