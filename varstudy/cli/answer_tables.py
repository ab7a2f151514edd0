"""What the outputs and gradients of layers are worth, as a table and as JSON: the committed measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ..survey import elements
from ..survey.elements import ElementRow
from .console import many, paragraph
from .tables import show_table, wrong

__all__ = ["plain", "show", "worst_of"]


def worst_of(names: Sequence[str], kind: str | None, *keys: str) -> list[ElementRow]:
    """The worst committed row of each framework and of some more attributes; no stress test."""
    rows = [
        row for row in elements.rows(elements.committed())
        if row.framework in names and kind in (None, row.kind) and not elements.stress(row)
    ]  # fmt: skip
    return list(elements.worst_rows(rows, "framework", *keys).values())


def plain(names: Sequence[str], kind: str | None) -> list[dict[str, Any]]:
    """Rows for JSON: the worst of each norm, array and format."""
    return [row.record() for row in worst_of(names, kind, "kind", "array", "storage")]


def show(names: Sequence[str], kind: str | None, *, brief: bool = False) -> None:
    """The table of the worst errors, each next to what storing costs.

    Parameters
    ----------
    kind : of the layers; None for all. brief : a line for each framework and array; one for each norm too otherwise.
    """
    found = worst_of(names, kind, *(("array",) if brief else ("kind", "array")))
    if not found:
        return
    facts = {fact.framework: fact for fact in elements.facts(elements.committed())}
    click.echo()
    show_table(
        "Outputs and gradients: the largest errors of any format",
        ["framework", "norm", "array", "format", "error", "storing", "median units", "values", "input"],
        [
            [
                row.framework,
                row.kind,
                row.array,
                row.storage,
                wrong("not finite" if row.not_finite else _number(row.error), row.status == "wrong"),
                _number(row.stored),
                _number(row.units_median),
                f"{row.size:,}",
                f"{row.memory}, parameters {row.parameters}, {row.input.removeprefix(row.storage + ' ')}",
            ]
            for row in found
        ],
        left=4,
        more=("input", "median units"),
        note="Error: the largest, relative to the largest exact value. Storing: the same for exact values rounded "
        "to the format. Values: of a mean, or the terms of a sum. Stress tests are left out.",
    )
    there = list(dict.fromkeys(row.framework for row in found))
    versions = "; ".join(f"{facts[name].version} on {facts[name].date}" for name in there)
    paragraph(f"{many(len(there), 'framework')} measured: {versions}.")


def _number(value: float) -> str:
    return f"{value:,.0f}" if 100 <= value < 1e6 else f"{value:.2g}"
