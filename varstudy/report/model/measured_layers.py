"""The measured layers as lines of tables: a framework, and those of its variants that answer alike."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ...survey.findings.comparing import MEASURED_ERRORS, alike
from ...survey.findings.documented import Documented
from ...survey.findings.measured import FindingRow
from ...survey.frameworks.catalogue import FRAMEWORKS
from ..words import clean, number

__all__ = [
    "DocumentedFacts",
    "Layer",
    "LayerGroup",
    "answer",
    "is_number",
    "layers",
    "lines",
    "short_version",
    "title",
    "words",
]

DocumentedFacts = Mapping[tuple[str, str, str, str], Documented]


@dataclass(frozen=True)
class Layer:
    """One variant of one framework's layer.

    Attributes
    ----------
    rows : by property, of one thread. others : by property, of more threads, where they differ.
    """

    framework: str
    kind: str
    variant: str
    rows: Mapping[str, FindingRow]
    others: Mapping[str, tuple[FindingRow, ...]]

    @property
    def first(self) -> FindingRow:
        return next(iter(self.rows.values()))

    def value(self, name: str) -> Any:
        """The value of a property; None where it was not measured."""
        row = self.rows.get(name)
        return None if row is None else answer(row)

    def fact(self, facts: DocumentedFacts, name: str) -> Documented | None:
        """What is documented of a property of this variant, or else of all."""
        return facts.get((self.framework, self.kind, self.variant, name)) or facts.get(
            (self.framework, self.kind, "", name)
        )


@dataclass(frozen=True)
class LayerGroup:
    """A line of a table: variants of one framework that answer alike."""

    layers: tuple[Layer, ...]

    @property
    def first(self) -> Layer:
        return self.layers[0]

    @property
    def framework(self) -> str:
        return self.first.framework

    @property
    def title(self) -> str:
        return title(self.framework)

    @property
    def variants(self) -> str:
        return clean("; ".join(layer.variant for layer in self.layers))

    @property
    def version(self) -> str:
        return short_version(self.framework, self.first.first.version) or "version unknown"

    @property
    def date(self) -> str:
        return clean(self.first.first.date)

    def worst(self, name: str) -> FindingRow | None:
        """The row of the variant that does worst where a property is an error; the first one's otherwise."""
        rows = [layer.rows[name] for layer in self.layers if name in layer.rows]
        return max(rows, key=_error) if rows and name.startswith(MEASURED_ERRORS) else rows[0] if rows else None


def answer(row: FindingRow) -> Any:
    """A measured row's value; None where there is none."""
    return row.plain() if row.status == "measured" else None


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _error(row: FindingRow) -> float:
    value = answer(row)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else -1.0


def layers(rows: Iterable[FindingRow], kind: str) -> list[Layer]:
    """The layers of a kind, in the order of the known frameworks; unknown ones after them."""
    found: dict[tuple[str, str], tuple[dict[str, FindingRow], dict[str, list[FindingRow]]]] = {}
    for row in rows:
        if row.kind == kind:
            one, more = found.setdefault((row.framework, row.variant), ({}, {}))
            before = one.get(row.property)
            if before is None or row.threads < before.threads:
                one[row.property] = row
            if before is not None:
                more.setdefault(row.property, []).append(max(before, row, key=lambda each: each.threads))
    known = list(FRAMEWORKS)
    order = sorted(found, key=lambda key: (known.index(key[0]) if key[0] in known else len(known), key))
    return [
        Layer(name, kind, variant, one, {key: tuple(value) for key, value in more.items()})
        for name, variant in order
        for one, more in [found[name, variant]]
    ]


def lines(given: Sequence[Layer], names: Sequence[str], facts: DocumentedFacts) -> list[LayerGroup]:
    """Layers with those of the same framework joined that agree in all of some properties, errors within a factor."""
    made: list[list[Layer]] = []
    for layer in given:
        for group in made:
            if group[0].framework == layer.framework and _agree(group[0], layer, names, facts):
                group.append(layer)
                break
        else:
            made.append([layer])
    return [LayerGroup(tuple(group)) for group in made]


def _agree(a: Layer, b: Layer, names: Sequence[str], facts: DocumentedFacts) -> bool:
    for name in names:
        x, y = a.rows.get(name), b.rows.get(name)
        if (x is None) != (y is None) or [r.threads for r in a.others.get(name, ())] != [
            r.threads for r in b.others.get(name, ())
        ]:
            return False
        pairs = [(x, y), *zip(a.others.get(name, ()), b.others.get(name, ()), strict=True)]
        if not all(p is None or q is None or _same(p, q) for p, q in pairs):
            return False
        said = [fact and (fact.value, fact.source_value) for fact in (a.fact(facts, name), b.fact(facts, name))]
        if said[0] != said[1]:
            return False
    return True


def _same(a: FindingRow, b: FindingRow) -> bool:
    if a.status != b.status or _marks(a) != _marks(b):
        return False
    x, y = answer(a), answer(b)
    errors = a.property.startswith(MEASURED_ERRORS) and a.property != "float16.accumulator"
    return alike(a.property, x, y) if errors and x is not None and y is not None else bool(x == y)


def _marks(row: FindingRow) -> tuple[bool, ...]:
    return tuple(word in row.detail for word in ("negative", "clipped", "at most"))


# Words ----------------------------------------------------------------------------------------------------------------


def title(framework: str) -> str:
    """A framework's name for people."""
    return FRAMEWORKS[framework].title if framework in FRAMEWORKS else clean(framework)


def short_version(framework: str, version: str) -> str:
    """The versions of the framework's own packages, of those of all that it runs on."""
    known = FRAMEWORKS.get(framework)
    aliases = known.runs_in.aliases if known and known.runs_in else {}
    own = [name for module in known.modules for name in (module, aliases.get(module, module))] if known else []
    parts = version.split(", ")
    found = [part for part in parts if part.rpartition(" ")[0].lower().replace("_", "-") in _plain(own)]
    return clean(", ".join(found) or version)


def _plain(names: Sequence[str]) -> set[str]:
    return {name.lower().replace("_", "-") for name in names}


def words(name: str, value: Any) -> str:
    """A value of a property as a reader says it."""
    if value is None:
        return "–"
    if name.startswith("correction.") and isinstance(value, (int, float)):
        return "n" if value == 0 else f"n − {value:g}" if value > 0 else f"n + {-value:g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, (list, tuple)):
        shown = [words("", each) for each in value]
        return f"{shown[0]} at each step" if len(shown) > 1 and len(set(shown)) == 1 else "; ".join(shown)
    text = clean(value if isinstance(value, str) else json.dumps(value))
    return text.replace("^2", "²").replace(" - ", " − ") if name == "algorithm" else text


def linked(text: str) -> Markup:
    """Text in which web addresses are links."""
    parts = re.split(r"(https?://[^\s,;)]+)", clean(text))
    return Markup("").join(
        Markup('<a href="{}" rel="noreferrer">{}</a>').format(part, part.split("//", 1)[1]) if i % 2 else part
        for i, part in enumerate(parts)
    )
