"""The systems of the survey in the frameworks, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from ..survey import systems
from ..survey.findings.measured import shown
from ..survey.systems import SYSTEMS
from ..survey.systems.in_frameworks import framework_systems
from .console import many, paragraph
from .tables import show_table

__all__ = ["plain_systems", "show_systems"]


def plain_systems(names: Collection[str], kind: str) -> dict[str, Any]:
    """The rows of some frameworks for JSON: measured, with their errors, and documented."""
    content = systems.committed()

    def asked(row: Any) -> bool:
        return row.framework in names and row.system == kind

    return {
        "measured": [{**row.record(), "value": row.plain()} for row in systems.rows(content) if asked(row)],
        "errors": [row.record() for row in systems.scores(content) if asked(row)],
        "documented": [asdict(fact) for fact in systems.documented() if asked(fact)],
    }


def show_systems(names: Collection[str], kind: str | None = None) -> None:
    """For each system the conventions, where measurement and documentation differ, and the wrong outputs."""
    for system in [SYSTEMS[kind]] if kind is not None else SYSTEMS.values():
        found = [each for each in framework_systems(system) if each.name in names]
        if not found:
            continue
        show_table(
            f"{system.title}, {system.formula}: defaults and conventions",
            ["framework", *system.columns.values(), "known by"],
            [[each.name, *(_cell(each.value(prop)) for prop in system.columns), each.known_by] for each in found],
            left=2 + len(system.columns),
            more=tuple(system.narrow),
        )
        for each in found:
            for line in each.notes():
                paragraph(line, "- ")
            off = [f"{row.input}, {row.parameters}" for row in each.scores if row.status == "wrong"]
            if off:
                paragraph(f"{each.name}: {many(len(off), 'wrong output')}: {'; '.join(off)}.", "- ", wrong=True)


def _cell(value: Any) -> str:
    return "-" if value is None else shown(value)
