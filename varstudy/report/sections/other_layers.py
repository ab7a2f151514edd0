"""The layers that are no norm by a variance: conventions of the frameworks, and what range and order do to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ..._io.record_file import Cells
from ...study.rank_merges import merge_errors
from ...survey.findings.measured import shown
from ...survey.systems import SYSTEMS, System
from ...survey.systems.in_frameworks import framework_systems
from ..words import clean, number

__all__ = ["OtherLayer", "chapter"]

RANKS = "Merges of ranks: the variance of three ranks' batches, replayed in float32"


@dataclass(frozen=True)
class Computed:
    """Rows of the study.

    Attributes
    ----------
    title : of the table. heads : of its columns. lines : a text a cell.
    """

    title: str
    heads: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class OtherLayer:
    """One system.

    Attributes
    ----------
    name, title, formula : of the `System`. heads : its properties, each with the question.
    lines : title, name, how it is known, and a cell a property, for each framework. notes : sentences.
    computed : what the study has of it, if anything.
    """

    name: str
    title: str
    formula: str
    heads: tuple[tuple[str, str], ...]
    lines: tuple[tuple[str, str, str, tuple[str, ...]], ...]
    notes: tuple[str, ...]
    computed: Computed | None


def _cell(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _table(title: str, rows: Sequence[Cells]) -> Computed:
    records = [row.record() for row in rows]
    heads = tuple(head.replace("_", " ") for head in records[0])
    return Computed(title, heads, tuple(tuple(_cell(vars(row)[name]) for name in vars(row)) for row in rows))


def _layer(system: System) -> OtherLayer:
    lines: list[tuple[str, str, str, tuple[str, ...]]] = []
    notes: list[str] = []
    for each in framework_systems(system):
        known = each.version if each.measured else "documented only, not measured"
        values = [each.value(prop) for prop in system.properties]
        cells = tuple("\N{EN DASH}" if value is None else shown(value) for value in values)
        lines.append((each.title, each.name, clean(known), cells))
        notes += map(clean, each.notes())
    heads = tuple((title, title) for title, _ in system.properties.values())
    computed = _table(system.studied[0], system.studied[1]()) if system.studied is not None else None
    return OtherLayer(system.name, system.title, system.formula, heads, tuple(lines), tuple(notes), computed)


@cache
def chapter() -> tuple[tuple[OtherLayer, ...], Computed]:
    """The systems, and the merges of ranks, which belong to batch norm."""
    return tuple(_layer(system) for system in SYSTEMS.values()), _table(RANKS, merge_errors())
