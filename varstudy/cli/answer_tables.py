"""What the outputs and gradients of layers are worth, as a table and as JSON: the committed measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ..survey import elements
from ..survey.elements import ElementRow
from .console import many, paragraph
from .tables import show_table, wrong

__all__ = ["SHOWN", "plain", "show", "worst_of"]

# Frameworks of the brief table, the worst first.
SHOWN = 5


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
    kind : of the layers; None for all. brief : a line for each framework; one for each norm and array otherwise.
    """
    if brief:
        _show_brief(worst_of(names, kind, "array"))
        return
    found = worst_of(names, kind, "kind", "array")
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
                _error(row),
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


def _show_brief(found: Sequence[ElementRow]) -> None:
    arrays = ("y", "dx", "dweight", "dbias")
    cells = {(row.framework, row.array): _error(row) for row in sorted(found, key=lambda row: -row.error)}
    there = list(dict.fromkeys(name for name, _ in cells))
    more = f"; {many(len(there) - SHOWN, 'framework')} more" if len(there) > SHOWN else ""
    show_table(
        f"Outputs and gradients: largest error relative to the largest exact value; name a framework for more{more}",
        ["framework", *arrays],
        [[name, *(cells.get((name, each), "-") for each in arrays)] for name in there[:SHOWN]],
    )


def _error(row: ElementRow) -> str:
    return wrong("not finite" if row.not_finite else _number(row.error), row.status == "wrong")


def _number(value: float) -> str:
    return f"{value:,.0f}" if 100 <= value < 1e6 else f"{value:.2g}"
