"""The conventions of batch norm on the report's first page: frameworks that agree in what decides a port, together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..model.measured_layers import Layer, title, words
from ..words import clean

__all__ = ["PROPERTIES", "SHOWN", "FirstConventions", "agreeing"]

# What decides a port, with the heading of its column.
PROPERTIES = {
    "correction.normalise": "normalises by",
    "correction.running": "keeps with divisor",
    "momentum.multiplies": "momentum multiplies",
    "momentum.default": "momentum",
    "epsilon.default": "epsilon",
    "epsilon.place": "epsilon’s place",
}
SHOWN = 5


@dataclass(frozen=True)
class FirstConventions:
    """Conventions of batch norm, those that most frameworks follow first.

    Attributes
    ----------
    heads : of the properties. lines : frameworks, and the words of each property.
    more : conventions that are not shown. frameworks : how many were measured.
    """

    heads: tuple[str, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    more: int
    frameworks: int


def agreeing(layers: Sequence[Layer]) -> FirstConventions | None:
    """The conventions of some layers of batch norm; None where none was measured."""
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for layer in layers:
        values = tuple(words(name, layer.value(name)) for name in PROPERTIES)
        if any(value != "–" for value in values[:2]):
            found.setdefault(values, {}).setdefault(layer.framework, []).append(layer.variant)
    if not found:
        return None
    split = {
        name for name in {n for group in found.values() for n in group} if sum(name in g for g in found.values()) > 1
    }
    lines = [
        (
            ", ".join(
                clean(f"{title(name)} ({'; '.join(variants)})" if name in split else title(name))
                for name, variants in group.items()
            ),
            values,
        )
        for values, group in sorted(found.items(), key=lambda item: -len(item[1]))
    ]
    frameworks = len({name for group in found.values() for name in group})
    return FirstConventions(
        tuple(PROPERTIES.values()), tuple(lines[:SHOWN]), len(lines) - len(lines[:SHOWN]), frameworks
    )
