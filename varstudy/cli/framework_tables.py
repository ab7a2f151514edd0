"""Findings of frameworks as tables and as JSON, each next to what is documented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from ..survey.findings import documented, elsewhere
from ..survey.findings.comparing import Difference
from ..survey.findings.measured import FindingRow, shown
from ..survey.findings.properties import property_of
from ..survey.frameworks.catalogue import FRAMEWORKS
from .console import many, paragraph
from .tables import show_table, wide

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
    ("normalising: correction", ("sync.normalise.correction",)),
    ("running: merge", ("sync.running.merge",)),
    ("running: correction", ("sync.running.correction",)),
    ("ranks keep", ("sync.running.ranks",)),
)
ACCURACY = (
    ("mean 1e4", ("accuracy.1e4",)),
    ("1e5", ("accuracy.1e5",)),
    ("1e6", ("accuracy.1e6",)),
    ("float16: 0", ("float16.0",)),
    ("float16: 4", ("float16.4",)),
    ("float16: 100", ("float16.100",)),
    ("bfloat16: 0", ("bfloat16.0",)),
    ("bfloat16: 4", ("bfloat16.4",)),
    ("bfloat16: 100", ("bfloat16.100",)),
)
# Columns that are left out where there is little room, the least important first.
BATCH_MORE = ("moved by", "initial", "algorithm", "one value", "running statistics", "variants")
OTHERS_MORE = ("one value", "variants", "algorithm")
SYNC_MORE = ("ranks keep", "variants", "normalising: correction", "running: correction")
ACCURACY_MORE = ("bfloat16: 4", "float16: 4", "1e5", "variants", "bfloat16: 100", "bfloat16: 0", "float16: 0")
MARKS = "=: as documented. !: the documentation says what follows. ?: undetermined. -: not asked or not applicable."


def plain(rows: Sequence[FindingRow], found: Sequence[Difference]) -> dict[str, Any]:
    """Rows for JSON, each with what is documented, and the differences."""
    listed = []
    for row in rows:
        fact = documented.lookup(row.framework, row.kind, row.variant, row.property)
        beside = None
        if fact is not None:
            beside = {"value": fact.value, "where": fact.where, "differs": documented.contradicts(fact, row)}
        listed.append({**row.record(), "value": row.plain(), "documented": beside, "unpinned": _unpinned(row)})
    asked = {row.framework for row in rows}
    others = [asdict(each) for each in elsewhere.facts() if each.framework in asked]
    return {"rows": listed, "differences": [asdict(each) for each in found], "elsewhere": others}


def _unpinned(row: FindingRow) -> str:
    known = FRAMEWORKS.get(row.framework)
    return known.unpinned(row.version) if known is not None and row.version else ""


def _cell(names: Sequence[str], found: Mapping[str, FindingRow], *, marked: bool = True) -> str:
    """Values of some properties, each with a mark that tells what the documentation says."""
    words = []
    for name in names:
        row = found.get(name)
        if row is None or row.status == "not applicable":
            words.append("-")
            continue
        word = shown(row.plain()) if row.value else {"undetermined": "?"}.get(row.status, row.status)
        fact = documented.lookup(row.framework, row.kind, row.variant, name)
        if marked and fact is not None and row.status == "failed" and fact.source_value is not None:
            word += f"; source: {shown(fact.source_value)}"
        elif marked and fact is not None and fact.value is not None:
            agrees = documented.contradicts(fact, row) is False
            word += " =" if agrees else f" ! {shown(fact.value)}"
        words.append(word)
    return " / ".join(words) if any(word != "-" for word in words) else "-"


def _contradictions(rows: Sequence[FindingRow]) -> dict[tuple[str, str, str], list[str]]:
    """A framework, a kind and what is measured and documented otherwise; with the variants that agree in it."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        fact = documented.lookup(row.framework, row.kind, row.variant, row.property)
        if fact is not None and documented.contradicts(fact, row):
            said = f"{property_of(row.property).title}: {shown(row.plain())}; documented: {shown(fact.value)}"
            if wide():
                said += f" ({fact.where})"
            variants = lines.setdefault((row.framework, row.kind, said), [])
            if row.variant not in variants:
                variants.append(row.variant)
    return lines


def _contradiction_lines(found: Mapping[tuple[str, str, str], Sequence[str]], brief: bool) -> list[str]:
    """A line for each; in brief one for all kinds of a framework's layers."""
    if not brief:
        return [f"{name}, {kind} {'; '.join(variants)}: {said}" for (name, kind, said), variants in found.items()]
    kinds: dict[tuple[str, str], list[str]] = {}
    for name, kind, said in found:
        kinds.setdefault((name, said), []).append(kind)
    return [f"{name}, {', '.join(of)}: {said}" for (name, said), of in kinds.items()]


def _divisors(rows: Sequence[FindingRow]) -> str:
    """By what batch norms divide for their running variance, counted."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.property == "correction.running" and row.value and shown(row.plain()) in ("0", "1"):
            found.setdefault(row.framework, set()).add(shown(row.plain()))
    counts = Counter(next(iter(each)) if len(each) == 1 else "both" for each in found.values())
    words = {"0": "by n in {}", "1": "by n - 1 in {}", "both": "by either, depending on the variant, in {}"}
    listed = [text.format(counts[key]) for key, text in words.items() if counts[key]]
    return f"The running variance of batch norm is divided {', '.join(listed)}." if listed else ""


def _layers(rows: Sequence[FindingRow], kinds: Sequence[str]) -> dict[tuple[str, str, str], dict[str, FindingRow]]:
    """What was measured with the fewest threads, by framework, kind and variant."""
    fewest: dict[str, int] = {}
    for row in rows:
        fewest[row.framework] = min(row.threads, fewest.get(row.framework, row.threads))
    parts: dict[tuple[str, str, str], dict[str, FindingRow]] = {}
    for row in rows:
        if row.kind in kinds and row.property != "probe" and row.threads == fewest[row.framework]:
            parts.setdefault((row.framework, row.kind, row.variant), {})[row.property] = row
    return parts


def _show_alike(rows: Sequence[FindingRow]) -> None:
    """The conventions of batch norm, each with the frameworks that have it, the most first."""
    columns = (*(names for heading, names in BATCH if heading in ("correction", "momentum")), ("epsilon.default",))
    lines: dict[tuple[str, ...], list[str]] = {}
    for (framework, _, _), found in _layers(rows, ["batch"]).items():
        cells = [_cell(names, found, marked=False) for names in (*columns, ("epsilon.place",))]
        if any(cell.strip("- ") for cell in cells) and not all("failed" in cell for cell in cells):
            alike = lines.setdefault(tuple(cells), [])
            alike += [framework] if framework not in alike else []
    show_table(
        "Batch norm: frameworks that agree share a line; one whose variants differ has several",
        ["correction", "momentum", "epsilon", "epsilon's place", "frameworks"],
        [[*cells, ", ".join(names)] for cells, names in sorted(lines.items(), key=lambda line: -len(line[1]))],
        left=5,
        more=("epsilon's place",),
        least={"epsilon's place": 22, "frameworks": 26},
        note="Correction c: the variance that normalises / the running variance is S / (n - c). Momentum: the weight "
        "of the old or the new statistics / its default. Epsilon: its default. ?: undetermined. -: not applicable.\n"
        "More: name a framework, or add --kind (group, layer, instance, rms, sync) or --wide.",
    )


def _table(
    title: str,
    rows: Sequence[FindingRow],
    kinds: Sequence[str],
    columns: Sequence[tuple[str, tuple[str, ...]]],
    note: str,
    more: Sequence[str],
) -> None:
    """Frameworks against properties; variants of which all is the same share a line."""
    parts = _layers(rows, kinds)
    lines: dict[tuple[str, ...], list[str]] = {}
    for (framework, kind, variant), found in parts.items():
        cells = [_cell(names, found) for _, names in columns]
        lines.setdefault((framework, kind, *cells), []).append(variant)
    show_kind = len(kinds) > 1
    if lines:
        show_table(
            title,
            ["framework", *(["kind"] if show_kind else []), "variants", *(heading for heading, _ in columns)],
            [
                [key[0], *([key[1]] if show_kind else []), "; ".join(variants), *key[2:]]
                for key, variants in lines.items()
            ],
            left=3 + len(columns),
            more=more,
            note=note,
        )


def _refused(row: FindingRow) -> bool:
    return row.status == "failed" and row.property != "probe"


def show(rows: Sequence[FindingRow], kind: str | None, *, brief: bool = False) -> None:
    """The contradictions, the tables, and what could not be measured.

    Parameters
    ----------
    kind : of the layers; None for all. brief : the contradictions and the table of batch norms only.
    """
    against = _contradictions(rows)
    asked = {row.framework for row in rows if row.property != "probe"}
    if asked:
        paragraph(
            f"{many(len(asked), 'framework')} measured, {many(len(against), 'contradiction')} of documentation and "
            f"measurement. {_divisors(rows)}".strip()
        )
        for line in _contradiction_lines(against, brief):
            paragraph(line, "- ", wrong=True)
        click.echo()
    others = [each for each in ("layer", "group", "instance", "rms") if kind in (None, each)]
    if brief:
        _show_alike(rows)
        return
    _table("Batch norm: measured", rows, ["batch"], BATCH, MARKS, BATCH_MORE)
    _table("Other norms: measured", rows, others, OTHERS, MARKS, OTHERS_MORE)
    _table(
        "Relative error of the variance that normalises, float32 of deviation 1 unless said",
        rows,
        [each for each in ("batch", *others) if kind in (None, each)],
        ACCURACY,
        "Of the variance that the output implies; the worst channel.",
        ACCURACY_MORE,
    )
    several = [row for row in rows if row.kind == "sync"]
    _table("Batch norm on several ranks: measured", several, ["sync"], SYNC, MARKS, SYNC_MORE)
    for text in dict.fromkeys(f"{row.framework}, several ranks: {row.detail}" for row in several if _refused(row)):
        paragraph(text)
    for row in rows:
        if row.property == "probe":
            paragraph(f"{row.framework}: {row.status}: {row.detail}")
    for fact in elsewhere.facts():
        if fact.framework in asked and kind in (None, fact.kind):
            paragraph(f"Not measured: {elsewhere.words(fact)}.")
    differing = {row.framework for row in rows if row.threads > 1 and row.property != "probe"}
    if differing:
        paragraph(f"Other findings with more threads: {', '.join(sorted(differing))} (--json has them).")
    for text in dict.fromkeys(
        f"{row.framework}: not the pinned version: {_unpinned(row)}" for row in rows if _unpinned(row)
    ):
        paragraph(text)
