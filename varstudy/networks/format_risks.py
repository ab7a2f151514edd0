"""What a format does to a layer: where a value, a square or a sum is beyond its range, and where digits go.

A layer made of operators stores every step's result, so that a square beyond the format's range is an infinity in any
runtime. A fused operator squares and adds in an accumulator that the runtime chooses: there the same square is a hazard
only where that accumulator has the format's range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from varkernels.enums import StrEnum
from varkernels.formats import Format

from .layer_facts import LayerFacts
from .norm_layers import Formula

__all__ = ["Level", "Risk", "overflow", "risks"]

# A relative change of the variance that is worth a sentence.
NOTABLE = 0.01


class Level(StrEnum):
    """How sure a risk is, from the surest: BREAKS in any runtime, DEPENDS on the accumulator, or worth a NOTE."""

    BREAKS = "breaks"
    DEPENDS = "depends on the accumulator"
    NOTE = "note"


@dataclass(frozen=True)
class Risk:
    """One hazard of a layer in a format: its level, what it is in a few words, and a sentence with the numbers."""

    level: Level
    what: str
    sentence: str


def overflow(fmt: Format) -> float:
    """The smallest magnitude that rounds to infinity: the largest number and half a spacing."""
    return float(fmt.largest + fmt.largest * fmt.unit_roundoff / (2 - 2 * fmt.unit_roundoff))


def risks(facts: LayerFacts, fmt: Format) -> list[Risk]:
    """The hazards of a layer's inputs in a format, the surest first."""
    layer, found = facts.layer, []
    limit = overflow(fmt)
    name = fmt.name
    steps = Level.BREAKS if layer.formula.decomposed else Level.DEPENDS

    def add(level: Level, what: str, sentence: str) -> None:
        found.append(Risk(level, what, sentence))

    if facts.nonfinite:
        add(
            Level.BREAKS,
            "NaN or infinity already",
            f"{facts.nonfinite:,} of {facts.rows:,} rows hold a NaN or an infinity before any conversion",
        )
    if facts.largest >= limit:
        add(
            Level.BREAKS,
            "values overflow",
            f"|x| is up to {facts.largest:.4g}, {name} ends at {float(fmt.largest):.6g}",
        )
    if not math.isnan(facts.output) and facts.output >= limit:
        add(Level.BREAKS, "the output overflows", f"|y| is up to {facts.output:.4g}, beyond {name}")
    if layer.formula is Formula.RUNNING:
        found += _running(facts, fmt)
    elif facts.largest < limit:
        about = facts.deviation if layer.formula is Formula.TWO_PASS else facts.largest
        total = facts.m2 if layer.formula is Formula.TWO_PASS else facts.squares
        value = "(x - mean)^2" if layer.formula is Formula.TWO_PASS else "x^2"
        if about**2 >= limit:
            add(steps, "a square overflows", f"{value} is up to {about**2:.4g} for one value, beyond {name}")
        elif total >= limit:
            level = Level.BREAKS if layer.stores_sum else Level.DEPENDS
            add(level, "a sum of squares overflows", f"the squares of a row add up to {total:.4g}, beyond {name}")
        elif facts.sum >= limit and layer.kind != "rms":
            add(Level.DEPENDS, "a sum overflows", f"the values of a row add up to {facts.sum:.4g}, beyond {name}")
    found += _small(facts, fmt, steps)
    found += _digits(facts, fmt)
    order = list(Level)
    return sorted(found, key=lambda each: order.index(each.level))


def _running(facts: LayerFacts, fmt: Format) -> list[Risk]:
    """Batch norm with running statistics computes no variance: x a + b, with a = 1 / sqrt(variance + epsilon)."""
    layer, found = facts.layer, []
    if layer.mean is None or layer.variance is None:
        return []
    with np.errstate(all="ignore"):
        beyond = int(np.count_nonzero(~np.isfinite(fmt.rounded(layer.variance).astype(np.float64))))
    if beyond:
        found.append(
            Risk(
                Level.BREAKS,
                "a running variance overflows",
                f"the running variance of {beyond} channels, up to {layer.variance.max():.4g}, is beyond {fmt.name}",
            )
        )
    dead = int(np.count_nonzero(layer.variance < layer.epsilon / 1000))
    if dead:
        found.append(
            Risk(
                Level.NOTE,
                "dead channels",
                f"{dead} channels have a running variance below epsilon / 1000: they are constant, and harmless",
            )
        )
    return found


def _small(facts: LayerFacts, fmt: Format, steps: Level) -> list[Risk]:
    """Epsilon and the variance at the format's other end."""
    layer, name = facts.layer, fmt.name
    if layer.formula is Formula.RUNNING or not facts.rows:
        return []
    stored = float(fmt.rounded(np.array([layer.epsilon]))[0])
    if layer.epsilon and stored == 0:
        least = facts.mean_square if layer.kind == "rms" else facts.variance_low
        smallest = float(fmt.smallest_subnormal) / 2
        if layer.kind != "rms" and least <= smallest:
            return [
                Risk(
                    steps,
                    "epsilon is 0",
                    f"epsilon {layer.epsilon:g} is 0 in {name}, and so is a variance of {least:.3g}: 0 / 0",
                )
            ]
        return [
            Risk(
                Level.NOTE,
                "epsilon is 0",
                f"epsilon {layer.epsilon:g} is 0 in {name}: a constant row would be divided by 0 (the smallest "
                f"variance here is {facts.variance_low:.3g})",
            )
        ]
    least = facts.mean_square if layer.kind == "rms" else facts.variance_low
    if 0 < layer.epsilon < float(fmt.smallest_normal) and least < layer.epsilon / NOTABLE:
        return [
            Risk(
                Level.NOTE,
                "epsilon is subnormal",
                f"epsilon {layer.epsilon:g} is {stored:.3g} in {name}, below its smallest normal number; 0 on hardware "
                "that flushes these",
            )
        ]
    return []


def _digits(facts: LayerFacts, fmt: Format) -> list[Risk]:
    """What the formula loses to cancellation, where each step is rounded to the format."""
    layer, kappa, u = facts.layer, facts.kappa_worst, float(fmt.unit_roundoff)
    if math.isnan(kappa) or layer.formula is not Formula.NAIVE:
        return []
    loss = kappa * kappa * u
    if loss < NOTABLE:
        return []
    level = Level.BREAKS if loss >= 1 else Level.NOTE
    what = "the variance may be negative" if loss >= 1 else "digits are lost"
    return [
        Risk(
            level,
            what,
            f"E[x^2] - E[x]^2 with condition number {kappa:.3g}: rounding E[x^2] to {fmt.name} alone changes "
            f"variance + epsilon by up to {loss:.2g} of itself",
        )
    ]
