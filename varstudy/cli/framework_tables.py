"""Findings of frameworks as tables and as JSON, each beside what is documented."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from ..survey.findings import documented
from ..survey.findings.comparing import Difference
from ..survey.findings.measured import FindingRow, shown
from ..survey.frameworks.catalogue import FRAMEWORKS
from .console import WIDTH, many, show_table

__all__ = ["plain", "show"]

# Columns of the tables: a heading, and the properties whose values stand in it.
BATCH = (
    ("correction", ("correction.normalise", "correction.running")),
    ("running statistics", ("running.update",)),
    ("momentum", ("momentum.multiplies", "momentum.default")),
    ("epsilon", ("epsilon.default", "epsilon.place")),
    ("initial", ("initial.mean", "initial.var")),
    ("one value", ("one_value.output",)),
    ("moved by", ("running.when",)),
    ("algorithm", ("algorithm",)),
)
OTHERS = (
    ("correction", ("correction.normalise",)),
    ("epsilon", ("epsilon.default", "epsilon.place")),
    ("one value", ("one_value.output",)),
    ("algorithm", ("algorithm",)),
)
SYNC = (
    ("normalising: merge", ("sync.normalise.merge",)),
    ("correction", ("sync.normalise.correction",)),
    ("running: merge", ("sync.running.merge",)),
    ("correction", ("sync.running.correction",)),
    ("ranks keep", ("sync.running.ranks",)),
)
ACCURACY = (
    ("mean 1e4", ("accuracy.1e4",)),
    ("1e5", ("accuracy.1e5",)),
    ("1e6", ("accuracy.1e6",)),
    ("float16: 0", ("float16.0",)),
    ("4", ("float16.4",)),
    ("100", ("float16.100",)),
    ("bfloat16: 0", ("bfloat16.0",)),
    ("4", ("bfloat16.4",)),
    ("100", ("bfloat16.100",)),
)
# Columns of a terminal below which a table's cells would break within words: each of its lines is a block then.
NARROW = 100
MARKS = "= the documentation says so; ! it says what follows; ? undetermined; - not asked or not applicable."


def plain(rows: Sequence[FindingRow], found: Sequence[Difference]) -> dict[str, Any]:
    """Rows for JSON, each with what is documented, and the differences."""
    listed = []
    for row in rows:
        fact = documented.lookup(row.framework, row.kind, row.variant, row.property)
        beside = None
        if fact is not None:
            beside = {"value": fact.value, "where": fact.where, "differs": documented.contradicts(fact, row)}
        listed.append({**row.record(), "value": row.plain(), "documented": beside, "unpinned": _unpinned(row)})
    return {"rows": listed, "differences": [asdict(each) for each in found]}


def _unpinned(row: FindingRow) -> str:
    known = FRAMEWORKS.get(row.framework)
    return known.unpinned(row.version) if known is not None and row.version else ""


def _cell(names: Sequence[str], found: Mapping[str, FindingRow]) -> str:
    """Values of some properties, each with a mark that tells what the documentation says."""
    words = []
    for name in names:
        row = found.get(name)
        if row is None or row.status == "not applicable":
            words.append("-")
            continue
        word = shown(row.plain()) if row.value else {"undetermined": "?"}.get(row.status, row.status)
        fact = documented.lookup(row.framework, row.kind, row.variant, name)
        if fact is not None and fact.value is not None:
            agrees = documented.contradicts(fact, row) is False
            word += " =" if agrees else f" ! {shown(fact.value)}"
        words.append(word)
    return " / ".join(words) if any(word != "-" for word in words) else "-"


def _contradictions(rows: Sequence[FindingRow]) -> list[str]:
    """A line for each measured property that is documented otherwise; variants that agree share it."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        fact = documented.lookup(row.framework, row.kind, row.variant, row.property)
        if fact is not None and documented.contradicts(fact, row):
            said = f"{row.property} is {shown(row.plain())}, documented is {shown(fact.value)} ({fact.where})"
            variants = lines.setdefault((row.framework, row.kind, said), [])
            if row.variant not in variants:
                variants.append(row.variant)
    return [f"{key[0]}, {key[1]} {'; '.join(variants)}: {key[2]}" for key, variants in lines.items()]


def _table(
    title: str,
    rows: Sequence[FindingRow],
    kinds: Sequence[str],
    columns: Sequence[tuple[str, tuple[str, ...]]],
    note: str,
) -> None:
    """Frameworks against properties; variants of which all is the same share a line."""
    fewest: dict[str, int] = {}
    for row in rows:
        fewest[row.framework] = min(row.threads, fewest.get(row.framework, row.threads))
    parts: dict[tuple[str, str, str], dict[str, FindingRow]] = {}
    for row in rows:
        if row.kind in kinds and row.property != "probe" and row.threads == fewest[row.framework]:
            parts.setdefault((row.framework, row.kind, row.variant), {})[row.property] = row
    lines: dict[tuple[str, ...], list[str]] = {}
    for (framework, kind, variant), found in parts.items():
        cells = [_cell(names, found) for _, names in columns]
        lines.setdefault((framework, kind, *cells), []).append(variant)
    show_kind = len(kinds) > 1
    width = shutil.get_terminal_size((WIDTH, 0)).columns
    if lines and width < NARROW:
        click.echo(click.wrap_text(title, width) + "\n")
        for (framework, of, *cells), variants in lines.items():
            click.echo(f"{framework}, {of}" if show_kind else framework)
            named = zip((heading for heading, _ in columns), cells, strict=True)
            for heading, text in (("variants", "; ".join(variants)), *named):
                if text != "-":
                    click.echo(click.wrap_text(f"{heading}: {text}", max(width, 24), "  ", "      "))
            click.echo("")
        click.echo(click.wrap_text(note, width) + "\n")
    elif lines:
        show_table(
            title,
            ["framework", *(["kind"] if show_kind else []), "variants", *(heading for heading, _ in columns)],
            [
                [key[0], *([key[1]] if show_kind else []), "; ".join(variants), *key[2:]]
                for key, variants in lines.items()
            ],
            left=3 + len(columns),
            note=note,
        )


def _refused(row: FindingRow) -> bool:
    return row.status == "failed" and row.property != "probe"


def show(rows: Sequence[FindingRow], kind: str | None) -> None:
    """The tables, the contradictions, and what could not be asked."""
    others = [each for each in ("layer", "group", "instance", "rms") if kind in (None, each)]
    _table("Batch norm: measured", rows, ["batch"], BATCH, MARKS)
    _table("Other norms: measured", rows, others, OTHERS, MARKS)
    _table(
        "Relative error of the variance that normalises, float32 of deviation 1 unless said",
        rows,
        [each for each in ("batch", *others) if kind in (None, each)],
        ACCURACY,
        "Of the variance that the output implies; the worst channel.",
    )
    several = [row for row in rows if row.kind == "sync"]
    _table("Batch norm on several ranks: measured", several, ["sync"], SYNC, MARKS)
    for text in dict.fromkeys(f"{row.framework}, several ranks: {row.detail}" for row in several if _refused(row)):
        click.echo(text)
    against = _contradictions(rows)
    if against:
        click.echo(f"{many(len(against), 'contradiction')} of documentation and measurement:")
        click.echo("".join(f"  {line}\n" for line in against))
    for row in rows:
        if row.property == "probe":
            click.echo(f"{row.framework}: {row.status}: {row.detail}")
    differing = {row.framework for row in rows if row.threads > 1 and row.property != "probe"}
    if differing:
        click.echo(f"Other findings with more threads: {', '.join(sorted(differing))} (--json has them).")
    for text in dict.fromkeys(
        f"{row.framework}: not the pinned version: {_unpinned(row)}" for row in rows if _unpinned(row)
    ):
        click.echo(text)
