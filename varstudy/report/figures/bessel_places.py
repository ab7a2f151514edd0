"""Bessel's factor n/(n - 1) against n, and the divisor by which each framework normalises and keeps its variance."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..model.measured_layers import Layer, is_number, words
from ..rendering import sentence
from ..words import clean, code, count, listing, number, percent
from .draw import Drawn, canvas, slim, svg, token

__all__ = ["SIZES", "Cost", "costs", "divisors", "draw", "factor"]

SIZES = (2, 8, 32, 25088)
_PANELS = (
    ("correction.normalise", "the variance that normalises"),
    ("correction.running", "the variance that is kept for inference"),
)
_STYLES: tuple[tuple[str, str, Any], ...] = (
    ("c1", "s", (0, (5, 1.5))),
    ("c0", "o", "-"),
    ("c2", "^", (0, (1.5, 1.5))),
    ("c4", "D", (0, (4, 1.5, 1, 1.5))),
)


@dataclass(frozen=True)
class Cost:
    """What one divisor makes of the variance M2 / n: the factor at each of `SIZES`, as text."""

    divisor: str
    factors: tuple[str, ...]


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
    found = sorted({value for name, _ in _PANELS for value in divisors(layers, name)})
    return tuple(
        Cost(
            words("correction.running", value),
            tuple(f"{number(factor(n, value), 6)} ({percent(factor(n, value) - 1)})" for n in SIZES),
        )
        for value in found
    )


def draw(layers: Sequence[Layer]) -> Drawn:
    """Two panels: normalising, and running."""
    panels = [(name, heading, divisors(layers, name)) for name, heading in _PANELS]
    if not any(found for _, _, found in panels):
        return Drawn(None)
    with canvas("bessel-places"):
        fig = Figure(figsize=(12.4, 6.2), layout="constrained")
        axes = fig.subplots(1, 2, sharey=True)
        for ax, (_, heading, found) in zip(axes, panels, strict=True):
            _panel(ax, heading, found)
        axes[0].set_ylabel("variance, in units of M2/n")
        label = "Bessel’s factor n/(n−1) against n, with the divisor that each framework was measured to use"
        drawing = slim(svg(fig, "bp", label))
    return Drawn(drawing, _notes(layers, panels))


def _panel(ax: Axes, heading: str, found: dict[float, list[str]]) -> None:
    n = np.geomspace(SIZES[0], SIZES[-1] * 1.5, 80)
    ax.set_xscale("log", base=2)
    ax.set_ylim(0.95, 2.06)
    top = 1.98
    for place, (value, names) in enumerate(found.items()):
        colour, marker, line = _STYLES[place % len(_STYLES)]
        ax.plot(n, [min(factor(v, value), 9.0) for v in n], color=token(colour), ls=line, lw=2, zorder=3)
        at = [v for v in SIZES if v > value]
        ax.plot(at, [factor(v, value) for v in at], color=token(colour), marker=marker, ls="none", ms=7, zorder=4)
        told = textwrap.wrap(clean(", ".join(names)), 52) or [""]
        told = told[:9] + (["…"] if len(told) > 9 else [])
        text = f"divisor {words('correction.running', value)}: {count(len(names), 'framework')}\n" + "\n".join(told)
        ax.plot([9.5], [top - 0.018], color=token(colour), marker=marker, ls=line, ms=7, zorder=5)
        ax.annotate(text, (11.5, top), va="top", ha="left", fontsize=9, linespacing=1.25)
        top -= 0.036 * (text.count("\n") + 1) + 0.03
    for v in SIZES:
        ax.axvline(v, color=token("grid"), lw=1, zorder=1)
    ax.set_xticks(SIZES, [f"{v:,}" for v in SIZES])
    ax.minorticks_off()
    ax.set_title(heading)
    ax.set_xlabel("values in each channel, n")


def _notes(layers: Sequence[Layer], panels: Sequence[tuple[str, str, dict[float, list[str]]]]) -> tuple[Markup, ...]:
    shown = [Markup("{} at n = {}").format(number(factor(n, 1), 6), f"{n:,}") for n in SIZES]
    percents = [percent(factor(n, 1) - 1) for n in SIZES]
    notes = [sentence("bessel_places", factors=shown, sizes=SIZES, percents=percents)]
    for _, heading, found in panels:
        parts = [
            Markup("{} by {}").format(words("correction.running", value), listing([code(name) for name in names]))
            for value, names in found.items()
        ]
        notes.append(
            Markup("<b>{}</b>: the divisor {}.").format(
                heading[:1].upper() + heading[1:], Markup("; ").join(parts) if parts else "was not measured"
            )
        )
    two = dict.fromkeys(
        layer.framework
        for layer in layers
        if len({value for name, _ in _PANELS if isinstance(value := layer.value(name), (int, float))}) > 1
    )
    return (*notes, sentence("bessel_two", names=list(two))) if two else tuple(notes)
