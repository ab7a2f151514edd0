"""What is known of a system in each framework: measured, or else documented; for tables of any kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..findings.measured import shown
from ..frameworks.catalogue import FRAMEWORKS
from . import systems_record
from .read_sources import DocumentedSystem, documented
from .system import System
from .systems_record import SystemRow, SystemScore

__all__ = ["FrameworkSystem", "framework_systems"]


@dataclass(frozen=True)
class FrameworkSystem:
    """A system in one framework.

    Attributes
    ----------
    name : the framework's. system : its system. measured : rows by property. facts : documented, by property.
    scores : of its outputs.
    """

    name: str
    system: System
    measured: Mapping[str, SystemRow]
    facts: Mapping[str, DocumentedSystem]
    scores: tuple[SystemScore, ...]

    @property
    def known_by(self) -> str:
        return "measured" if self.measured else "documented"

    @property
    def title(self) -> str:
        return FRAMEWORKS[self.name].title

    @property
    def version(self) -> str:
        return next((row.version for row in self.measured.values()), "")

    def value(self, prop: str) -> Any:
        """The measured value of a property, or else the documented one; None where neither is known."""
        if prop in self.measured:
            return self.measured[prop].plain()
        return self.facts[prop].value if prop in self.facts else None

    def notes(self) -> Iterator[str]:
        """Sentences: where the documentation differs, and what it says of what was not measured."""
        for prop, fact in self.facts.items():
            value = self.measured[prop].plain() if prop in self.measured else None
            title = self.system.properties[prop][0]
            if value is not None and value != fact.value:
                yield f"{self.name}: {title}: {shown(value)}; documented: {shown(fact.value)} ({fact.source})"
            elif fact.sentence:
                yield f"{self.name}: {fact.sentence} ({fact.source})"


def framework_systems(system: System) -> list[FrameworkSystem]:
    """The frameworks that have a system, measured ones first."""
    content = systems_record.committed()
    rows = [row for row in systems_record.rows(content) if row.system == system.name]
    facts = [fact for fact in documented() if fact.system == system.name]
    scores = [score for score in systems_record.scores(content) if score.system == system.name]
    return [
        FrameworkSystem(
            name,
            system,
            {row.property: row for row in rows if row.framework == name},
            {fact.property: fact for fact in facts if fact.framework == name},
            tuple(score for score in scores if score.framework == name),
        )
        for name in dict.fromkeys([*(row.framework for row in rows), *(fact.framework for fact in facts)])
    ]
