"""Local response normalisation in the frameworks, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from ..survey import response
from ..survey.findings.measured import shown
from ..survey.response.inferring import PROPERTIES
from .console import many, paragraph
from .tables import show_table

__all__ = ["plain_response", "show_response"]

COLUMNS = {"factor": "factor", "size.default": "n", "k.default": "k", "alpha.default": "alpha", "beta.default": "beta",
           "size.even": "even n", "sum": "sum", "channels": "channels"}  # fmt: skip
MORE = ("channels", "beta", "sum", "even n")


def plain_response(names: Collection[str]) -> dict[str, Any]:
    """The rows of some frameworks for JSON: measured, with their errors, and documented."""
    content = response.committed()
    return {
        "measured": [
            {**row.record(), "value": json.loads(row.value)} for row in response.rows(content) if row.framework in names
        ],
        "errors": [row.record() for row in response.scores(content) if row.framework in names],
        "documented": [asdict(fact) for fact in response.documented() if fact.framework in names],
    }


def show_response(names: Collection[str]) -> None:
    """The table of conventions, where measurement and documentation differ, and the worst errors."""
    content = response.committed()
    measured: dict[str, dict[str, Any]] = {}
    known: dict[str, dict[str, Any]] = {}
    for row in response.rows(content):
        if row.framework in names:
            measured.setdefault(row.framework, {})[row.property] = json.loads(row.value)
    for fact in response.documented():
        if fact.framework in names:
            known.setdefault(fact.framework, {})[fact.property] = fact
    if not measured and not known:
        return
    lines = []
    for name in dict.fromkeys([*measured, *known]):
        found = measured.get(name) or {prop: fact.value for prop, fact in known[name].items()}
        cells = [shown(found[prop]) if found.get(prop) is not None else "-" for prop in COLUMNS]
        lines.append([name, *cells, "measured" if name in measured else "documented"])
    show_table(
        "Local response normalisation, x / (k + factor x sum of n squares)^beta: defaults and conventions",
        ["framework", *COLUMNS.values(), "known by"],
        lines,
        left=2 + len(COLUMNS),
        more=MORE,
    )
    for name, facts in known.items():
        for prop, fact in facts.items():
            value = measured.get(name, {}).get(prop)
            if value is not None and value != fact.value:
                title = PROPERTIES[prop][0]
                paragraph(f"{name}: {title}: {shown(value)}; documented: {shown(fact.value)} ({fact.source})", "- ")
            elif fact.sentence and name not in measured:
                paragraph(f"{name}: {fact.sentence} ({fact.source})", "- ")
    for name in measured:
        off = [row for row in response.scores(content) if row.framework == name and row.status == "wrong"]
        if off:
            words = "; ".join(f"{row.input}, {row.parameters}" for row in off)
            paragraph(f"{name}: {many(len(off), 'wrong output')} in float32: {words}.", "- ", wrong=True)
