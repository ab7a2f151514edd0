"""Bessel's factor n/(n - 1), and the divisor by which each framework normalises and keeps its variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..model.measured_layers import Layer, is_number, words
from ..rendering import sentence
from ..words import clean, number, percent

__all__ = ["SIZES", "Cost", "costs", "divisors", "factor", "two_divisors"]

SIZES = (2, 8, 32, 25088)
# The variance that normalises, and the one that is kept for inference.
_PLACES = ("correction.normalise", "correction.running")


@dataclass(frozen=True)
class Cost:
    """What one divisor makes of the variance M2 / n, and who uses it.

    Attributes
    ----------
    factors : the factor at each of `SIZES`, as text. users : how many frameworks normalise with it and how many keep
        the variance with it, and their names.
    """

    divisor: str
    factors: tuple[str, ...]
    users: tuple[tuple[int, str], ...]


def factor(n: float, correction: float) -> float:
    """M2/(n - correction) over M2/n; infinite where there is no such divisor."""
    return n / (n - correction) if n > correction else float("inf")


def divisors(layers: Sequence[Layer], name: str) -> dict[float, list[str]]:
    """The frameworks by the correction they were measured to have; with variants where theirs differ."""
    found: dict[float, dict[str, list[str]]] = {}
    for layer in layers:
        value = layer.value(name)
        if is_number(value):
            found.setdefault(float(value), {}).setdefault(layer.framework, []).append(layer.variant)
    split = {f for f in {f for group in found.values() for f in group} if sum(f in g for g in found.values()) > 1}
    return {
        value: [f"{f} ({'; '.join(variants)})" if f in split else f for f, variants in found[value].items()]
        for value in sorted(found)
    }


def costs(layers: Sequence[Layer]) -> tuple[Cost, ...]:
    """A line for each divisor that was measured; n itself first."""
    places = [divisors(layers, name) for name in _PLACES]
    return tuple(
        Cost(
            words("correction.running", value),
            tuple(f"{number(factor(n, value), 6)} ({percent(factor(n, value) - 1)})" for n in SIZES),
            tuple((len(found.get(value, ())), clean(", ".join(found.get(value, ())))) for found in places),
        )
        for value in sorted({value for found in places for value in found})
    )


def two_divisors(layers: Sequence[Layer]) -> Markup | None:
    """Which frameworks normalise with one divisor and keep the running variance with another; None where none does."""
    names = dict.fromkeys(
        layer.framework
        for layer in layers
        if len({value for name in _PLACES if isinstance(value := layer.value(name), (int, float))}) > 1
    )
    return sentence("bessel_two", names=list(names)) if names else None
