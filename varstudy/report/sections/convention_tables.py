"""The tables of conventions: a line a framework and its variants that agree, a column a property."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ...survey.findings import measured
from ...survey.findings.documented import contradicts
from ...survey.findings.measured import Row
from ...survey.findings.properties import PROPERTIES, SYNC
from ...survey.frameworks.catalogue import FRAMEWORKS
from ..figures.layers_heat import error_cell
from ..model.contradictions import Key, source_differs
from ..model.measured_layers import Facts, Layer, Line, answer, lines, short_version, title, words
from ..words import clean, code, superscript

__all__ = ["COLUMNS", "TITLES", "Part", "heading", "part"]

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


@dataclass(frozen=True)
class Part:
    """The table of one kind of layer: its inside, and how many lines of how many frameworks it has."""

    kind: str
    title: str
    lines: int
    frameworks: int
    table: Markup


def part(
    kind: str, given: Sequence[Layer], facts: Facts, anchors: Mapping[Key, str], troubles: Mapping[str, Row]
) -> Part:
    names = [name for name in COLUMNS if kind in PROPERTIES[name].kinds]
    merged = lines(given, names, facts)
    body = [_line(line, names, facts, anchors) for line in merged]
    there = {line.framework for line in merged}
    width = len(names) + 1
    if kind == "batch":
        body += _absent([name for name in FRAMEWORKS if name not in there], troubles, width)
    only = [
        name for name, each in FRAMEWORKS.items()
        if not each.measured and any(fact[:2] == (name, kind) for fact in facts)
    ]  # fmt: skip
    if only:
        body.append(_sub("Documented only: cannot be installed, so nothing of it was measured", width))
        body += [_documented_only(name, kind, names, facts) for name in only]
    head = Markup("").join(
        Markup('<th scope="col"><abbr title="{}">{}</abbr></th>').format(PROPERTIES[n].question, heading(n))
        for n in names
    )
    table = Markup('<thead><tr><th scope="col">Framework</th>{}</tr></thead><tbody>{}</tbody>').format(
        head, Markup("").join(body)
    )
    return Part(kind, TITLES[kind], len(merged) + len(only), len(there), table)


def heading(name: str) -> str:
    """What stands above the column of a property."""
    if name.startswith("accuracy."):
        return f"digits at mean {superscript(int(name[-1]))}"
    return PROPERTIES[name].title


def _sub(text: str, width: int) -> Markup:
    return Markup('<tr class="sub"><th scope="rowgroup" colspan="{}">{}</th></tr>').format(width, text)


def _absent(names: Sequence[str], troubles: Mapping[str, Row], width: int) -> list[Markup]:
    """Frameworks that could be measured and were not, each with why."""
    listed = [name for name in names if FRAMEWORKS[name].measured]
    if not listed:
        return []
    told = []
    for name in listed:
        row = troubles.get(name)
        status = measured.NOT_RUN if row is None else row.status
        why = f"python -m varstudy frameworks --install {name}" if row is None or row.status == measured.NOT_RUN else ""
        told.append(
            Markup('<tr><th scope=row>{} {}</th><td colspan="{}"><em>{}</em>{}{}</td></tr>').format(
                title(name), code(name), width - 1, status,
                Markup(": {}").format(clean(row.detail)) if row is not None and row.detail else "",
                Markup(". {} measures it").format(code(why)) if why else "",
            )
        )  # fmt: skip
    return [_sub("Could not be asked", width), *told]


def _line(line: Line, names: Sequence[str], facts: Facts, anchors: Mapping[Key, str]) -> Markup:
    first = line.first.first
    head = Markup("<tr><th scope=row>{} {}<small>{}</small><small>{}, {}</small></th>").format(
        title(line.framework),
        code(line.framework),
        clean(line.variants),
        short_version(first.framework, first.version) or "version unknown",
        clean(first.date),
    )
    return head + Markup("").join(_cell(line, name, facts, anchors) for name in names) + Markup("</tr>")


def _cell(line: Line, name: str, facts: Facts, anchors: Mapping[Key, str]) -> Markup:
    layer = line.first
    row, fact = line.worst(name), layer.fact(facts, name)
    css, text = _shown(name, row)
    below = [
        Markup("<small>{} threads: {}</small>").format(other.threads, _shown(name, other)[1])
        for other in layer.others.get(name, ())
    ]
    said = None if fact is None or row is None else contradicts(fact, row)
    source = None if fact is None or row is None else source_differs(fact, row)
    key = anchors.get((layer.framework, layer.kind, layer.variant, name))
    if fact is not None and fact.value is not None:
        value = words(name, fact.value)
        below.append(
            Markup('<small><a href="#{}">≠ contradicts</a> documentation: {}</small>').format(key, value) if said
            else Markup("<small>documented</small>") if said is False
            else Markup("<small>documentation: {}</small>").format(value)
        )  # fmt: skip
    if fact is not None and fact.source_value is not None and (said or source or said is None or fact.value is None):
        value = words(name, fact.source_value)
        below.append(
            Markup('<small><a href="#{}">≠ contradicts</a> source: {}</small>').format(key, value) if source
            else Markup("<small>as in source</small>") if source is False
            else Markup("<small>source: {}</small>").format(value)
        )  # fmt: skip
    css = " ".join(part for part in (css, "clash" if said or source else "") if part)
    return Markup("<td{}>{}{}</td>").format(
        Markup(' class="{}"').format(css) if css else "", text, Markup("").join(below)
    )


def _shown(name: str, row: Row | None) -> tuple[str, Markup]:
    if row is None:
        return "n", Markup("")
    if answer(row) is None:
        return "n", Markup("–") if row.status == "not applicable" else Markup("<em>{}</em>").format(clean(row.status))
    if name.startswith("accuracy."):
        css, text = error_cell(row)
        return css, Markup("{}").format(text)
    return "", Markup("{}").format(words(name, answer(row)))


def _documented_only(name: str, kind: str, names: Sequence[str], facts: Facts) -> Markup:
    cells = []
    for each in names:
        fact = facts.get((name, kind, "", each))
        said = [
            Markup("<small>{}: {}</small>").format(word, words(each, value))
            for word, value in (("documentation", fact and fact.value), ("source", fact and fact.source_value))
            if value is not None
        ]
        cells.append(Markup('<td class="unmeasured">{}</td>').format(Markup("").join(said)))
    return Markup("<tr><th scope=row>{} {}<small>documented only, not measured</small></th>{}</tr>").format(
        title(name), code(name), Markup("").join(cells)
    )
