"""The tables of conventions: a line a framework and its variants that agree, a column a property."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...survey.findings.documented import Documented, contradicts
from ...survey.findings.measured import FindingRow
from ...survey.findings.properties import PROPERTIES, SYNC, FindingStatus
from ...survey.frameworks.catalogue import FRAMEWORKS
from ..model.contradictions import Key, source_differs
from ..model.measured_layers import DocumentedFacts, Layer, LayerGroup, answer, lines, title, words
from ..words import clean, superscript
from .layers_heat import error_cell

__all__ = ["COLUMNS", "TITLES", "PropertyTable", "heading", "property_table"]

# What decides whether a port is right, in the order of the columns.
COLUMNS = (
    "correction.normalise", "correction.running", "running.update", "running.weight", "momentum.multiplies",
    "momentum.default", "epsilon.default", "epsilon.place", "epsilon.in_running", "initial.mean", "initial.var",
    "running.keeps", "one_value.output", "one_value.running", "running.when", "training.statistics", "evaluation",
    "gradient", "algorithm", "accuracy.1e4", "accuracy.1e5", "accuracy.1e6", "sync.normalise.merge",
    "sync.normalise.correction", "sync.running.merge", "sync.running.correction", "sync.running.ranks",
)  # fmt: skip
TITLES = {
    "batch": "Batch norm", "layer": "Layer norm", "group": "Group norm", "instance": "Instance norm", "rms": "RMS norm",
    SYNC: "Batch norm on several ranks, synchronised",
}  # fmt: skip


# What a cell shows of a measurement: its class, its text, and whether the text is a status instead of a value.
Shown = tuple[str, str, bool]


@dataclass(frozen=True)
class PropertyCell:
    """A property of a layer: measured, measured with other numbers of threads, and documented.

    Attributes
    ----------
    notes : what documentation and source say; each with the anchor of the contradiction where they contradict.
    """

    value: Shown
    threads: tuple[tuple[int, Shown], ...]
    notes: tuple[tuple[str, str], ...]

    @property
    def css(self) -> str:
        clash = "clash" if any(anchor for _, anchor in self.notes) else ""
        return " ".join(word for word in (self.value[0], clash) if word)


@dataclass(frozen=True)
class PropertyTable:
    """The table of one kind of layer.

    Attributes
    ----------
    frameworks : how many were measured. heads : for each column the question and the heading. measured : the lines.
    absent : frameworks that could be measured and were not: title, name, status, why, and the command that measures it.
    documented : frameworks that cannot be installed: title, name, and for each property what is documented.
    """

    kind: str
    title: str
    frameworks: int
    heads: tuple[tuple[str, str], ...]
    measured: tuple[tuple[LayerGroup, tuple[PropertyCell, ...]], ...]
    absent: tuple[tuple[str, ...], ...]
    documented: tuple[tuple[str, str, tuple[tuple[str, ...], ...]], ...]

    @property
    def lines(self) -> int:
        return len(self.measured) + len(self.documented)


def property_table(
    kind: str,
    given: Sequence[Layer],
    facts: DocumentedFacts,
    anchors: Mapping[Key, str],
    troubles: Mapping[str, FindingRow],
) -> PropertyTable:
    """The table of one kind of layer.

    Parameters
    ----------
    anchors : of the contradictions. troubles : frameworks that could not be asked, each with the row that says why.
    """
    names = [name for name in COLUMNS if kind in PROPERTIES[name].kinds]
    merged = lines(given, names, facts)
    there = {line.framework for line in merged}
    only = [
        name for name, each in FRAMEWORKS.items()
        if not each.measured and any(fact[:2] == (name, kind) for fact in facts)
    ]  # fmt: skip
    return PropertyTable(
        kind,
        TITLES[kind],
        len(there),
        tuple((PROPERTIES[name].question, heading(name)) for name in names),
        tuple((line, tuple(_cell(line, name, facts, anchors) for name in names)) for line in merged),
        _absent([name for name in FRAMEWORKS if name not in there], troubles) if kind == "batch" else (),
        tuple(_documented_only(name, kind, names, facts) for name in only),
    )


def heading(name: str) -> str:
    """The heading of a property's column."""
    if name.startswith("accuracy."):
        return f"digits at mean {superscript(int(name[-1]))}"
    return PROPERTIES[name].title


def _absent(names: Sequence[str], troubles: Mapping[str, FindingRow]) -> tuple[tuple[str, ...], ...]:
    found = []
    for name in names:
        if FRAMEWORKS[name].measured:
            row = troubles.get(name)
            status = FindingStatus.NOT_RUN if row is None else row.status
            command = f"python -m varstudy frameworks --install {name}" if status == FindingStatus.NOT_RUN else ""
            found.append((title(name), name, status, clean(row.detail) if row is not None else "", command))
    return tuple(found)


def _cell(line: LayerGroup, name: str, facts: DocumentedFacts, anchors: Mapping[Key, str]) -> PropertyCell:
    layer = line.first
    row, fact = line.worst(name), layer.fact(facts, name)
    threads = tuple((other.threads, _value(name, other)) for other in layer.others.get(name, ()))
    key = anchors.get((layer.framework, layer.kind, layer.variant, name), "")
    return PropertyCell(_value(name, row), threads, () if fact is None else _facing(fact, row, name, key))


def _facing(fact: Documented, row: FindingRow | None, name: str, key: str) -> tuple[tuple[str, str], ...]:
    """What documentation and source say, beneath what was measured."""
    said = None if row is None else contradicts(fact, row)
    source = None if row is None else source_differs(fact, row)
    notes = []
    if fact.value is not None:
        text = "documented" if said is False else f"documentation: {words(name, fact.value)}"
        notes.append((text, key if said else ""))
    if fact.source_value is not None and (said or source or said is None or fact.value is None):
        text = "as in source" if source is False else f"source: {words(name, fact.source_value)}"
        notes.append((text, key if source else ""))
    return tuple(notes)


def _value(name: str, row: FindingRow | None) -> Shown:
    if row is None:
        return "n", "", False
    if answer(row) is None:
        absent = row.status == "not applicable"
        return "n", "–" if absent else clean(row.status), not absent
    if name.startswith("accuracy."):
        return (*error_cell(row), False)
    return "", words(name, answer(row)), False


def _documented_only(
    name: str, kind: str, names: Sequence[str], facts: DocumentedFacts
) -> tuple[str, str, tuple[tuple[str, ...], ...]]:
    cells = []
    for each in names:
        fact = facts.get((name, kind, "", each))
        said = (("documentation", fact and fact.value), ("source", fact and fact.source_value))
        cells.append(tuple(f"{word}: {words(each, value)}" for word, value in said if value is not None))
    return title(name), name, tuple(cells)
