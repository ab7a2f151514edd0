"""Where documentation, source and measurement differ: each with an id of its own, so that it can be linked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from ...survey.findings.documented import Documented, contradicts, contradicts_source
from ...survey.findings.measured import FindingRow
from ...survey.reproducers.finding import address
from ...survey.reproducers.upstream import states
from ..words import clean, code
from .measured_layers import DocumentedFacts, Layer, answer, linked, short_version, title, words

__all__ = ["Contradiction", "Entry", "entries", "found", "source_differs"]

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Contradiction:
    """One fact that is not so.

    Attributes
    ----------
    key : the anchor in the page. row : what was measured; None where it is the source alone that differs.
    against : ``documentation`` or ``source`` or both, that measurement differs from; ``apart`` that these two differ.
    """

    key: str
    layer: Layer
    variants: tuple[str, ...]
    fact: Documented
    row: FindingRow | None
    threads: int
    against: tuple[str, ...]
    apart: bool


@dataclass(frozen=True)
class Entry:
    """A contradiction as a line of a table."""

    key: str
    framework: str
    where: str
    property: str
    kind: Markup
    said: Markup
    source: Markup
    measured: Markup


def source_differs(fact: Documented, row: FindingRow) -> bool | None:
    """Whether the source says other than what was measured; None where either has no value."""
    return contradicts(replace(fact, value=fact.source_value), row)


def found(layers: Iterable[Layer], facts: DocumentedFacts) -> tuple[list[Contradiction], dict[Key, str]]:
    """All of them, variants that differ alike in one; and the anchor of each layer's property."""
    made: dict[tuple[object, ...], Contradiction] = {}
    anchors: dict[Key, str] = {}
    used: set[str] = set()
    for layer in layers:
        for name, first in layer.rows.items():
            fact = layer.fact(facts, name)
            if fact is None:
                continue
            for row in (first, *layer.others.get(name, ())):
                said, source, apart = contradicts(fact, row), source_differs(fact, row), contradicts_source(fact)
                if not (said or source or apart):
                    continue
                said_where = (fact.sentence, fact.where, fact.source)
                values = (repr(fact.value), repr(fact.source_value), row.value, row.status, row.threads)
                group = (layer.framework, layer.kind, name, said_where, values)
                before = made.get(group)
                if before is None:
                    against = tuple(word for word, differs in (("documentation", said), ("source", source)) if differs)
                    key = _anchor(layer, name, used)
                    made[group] = Contradiction(
                        key, layer, (layer.variant,), fact, row if answer(row) is not None else None, row.threads,
                        against, bool(apart),
                    )  # fmt: skip
                else:
                    made[group] = replace(before, variants=(*before.variants, layer.variant))
                anchors.setdefault((layer.framework, layer.kind, layer.variant, name), made[group].key)
    return list(made.values()), anchors


def _anchor(layer: Layer, name: str, used: set[str]) -> str:
    """From names alone, so that it stays when others come and go; with the variant where that is not enough."""
    parts = ["differs", layer.framework, layer.kind, name]
    for more in ([], [layer.variant], *([layer.variant, str(n)] for n in range(2, 10_000))):
        key = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join([*parts, *more])).strip("-")
        if key not in used:
            used.add(key)
            return key
    raise AssertionError("ten thousand contradictions of one name")


def entries(given: Sequence[Contradiction]) -> tuple[Entry, ...]:
    """The lines of the table."""
    return tuple(map(_entry, given))


def _shown(each: Contradiction) -> Markup:
    """How to see what contradicts the documentation, and what is known of it upstream."""
    if "documentation" not in each.against:
        return Markup("")
    name = address(each.layer.framework, each.layer.kind, each.layer.variant, each.fact.property)
    known = Markup("").join(Markup("<small>{}</small>").format(linked(one.words)) for one in states(name))
    return Markup("<small>varstudy repro {}</small>").format(name) + known


def _entry(each: Contradiction) -> Entry:
    fact, row = each.fact, each.row
    pairs = [f"{word} ≠ measured" for word in each.against] + ["documentation ≠ source"] * each.apart
    kind = Markup("<br>").join(pairs)
    value = Markup("<b>{}</b>. ").format(words(fact.property, fact.value)) if fact.value is not None else ""
    measured = Markup("not measured") if row is None else Markup("<b>{}</b><small>{}</small>").format(
        words(fact.property, answer(row)),
        " · ".join(filter(None, (short_version(row.framework, row.version), clean(row.date), clean(row.detail)[:160]))),
    ) + _shown(each)  # fmt: skip
    sources = Markup("<br>").join(code(part) for part in fact.source.split("; ") if part)
    source = Markup("{}<small>{}</small>").format(
        Markup("<b>{}</b>").format(words(fact.property, fact.source_value)) if fact.source_value is not None else
        "not read" if not fact.source else "fixes no value",
        sources,
    )  # fmt: skip
    variants = "; ".join(each.variants) + (f"; {each.threads} threads" if each.threads > 1 else "")
    return Entry(
        each.key,
        title(each.layer.framework),
        clean(f"{each.layer.kind}: {variants}"),
        clean(fact.property),
        kind,
        Markup("{}{}<small>{}</small>").format(value, clean(fact.sentence), linked(fact.where)),
        source,
        measured,
    )
