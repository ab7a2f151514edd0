"""The gradient against the exact one, with the variance differentiated through or held constant."""

from __future__ import annotations

import itertools

import numpy as np

from ..findings.properties import EpsilonPlace, Gradient
from ..probes import questions
from .finding import UNIT, Finding, listed, measured, undetermined
from .normalising import FLOORS, Rule
from .reading import Table, Variant
from .training_statistics import Normal

__all__ = ["expected", "gradient"]

NAME = "gradient"
THROUGH, HELD, OTHER = Gradient
_ROUNDINGS = 32 * UNIT  # of the largest term


def expected(
    x: Table, dy: Table, rule: Rule, centred: bool, *, through: bool, mean: bool = True
) -> tuple[Table, float]:
    """dx of sum(y * dy) for one group, and the size of its terms.

    Parameters
    ----------
    through : whether the variance depends on x. mean : whether the mean does.
    """
    n = x.size
    dev = x - x.mean() if centred else x
    divisor = n - rule.correction
    v = float((dev**2).sum()) / divisor
    d = rule.place.divisor(v, rule.size)
    direct = (dy - dy.mean() if centred and mean else dy) / d
    # dd/dx: through the root of (v + eps), through the deviation alone, or not at all under a floor
    root = np.sqrt(v)
    slope = dev / (divisor * (d if rule.place == EpsilonPlace.INSIDE else root))
    if rule.place in FLOORS and root < d:
        slope = np.zeros_like(dev)
    bent = float((dy * dev).sum()) / d**2 * slope
    size = float(np.abs(dy).max() / d + np.abs(dy).max() * np.abs(dev).sum() / d**2 * np.abs(slope).max())
    return (direct - bent if through else direct), size


def gradient(variant: Variant, normal: Normal) -> Finding:
    """What the backward pass differentiates, under the default epsilon and under the argument."""
    runs = variant.runs("gradient")
    seen = []
    for run in runs:
        dx = run.table("backward", "dx")
        rule = normal.argument if run.arguments else normal.default
        if dx is not None and rule is not None:
            seen.append((dx, rule))
    if not seen:
        if any(run.table("backward", "dx") is not None for run in runs):
            return undetermined(NAME, "what normalises the batch is not known")
        return variant.unanswered("gradient", NAME)
    x, dy = variant.batches("gradient")[0], questions.gradient_out(variant.kind, variant.name)
    centred = variant.kind != "rms"
    if any(dx.shape != x.shape for dx, _ in seen):
        return undetermined(NAME, "the gradient has another shape than the input")
    fits = {
        THROUGH: _fits(seen, x, dy, centred, through=True),
        HELD: _fits(seen, x, dy, centred, through=False),
        OTHER: _fits(seen, x, dy, centred, through=False, mean=False),
    }
    holding = [name for name, holds in fits.items() if holds and (centred or name != OTHER)]
    if len(holding) == 1:
        both = "the mean and the variance are both held constant"
        return measured(NAME, holding[0], both if holding[0] == OTHER else "")
    if holding:
        return undetermined(NAME, listed(holding))
    for c in (0.0, 1.0):
        other = [(dx, Rule(c, rule.place, rule.epsilon)) for dx, rule in seen]
        if centred and c != seen[0][1].correction and _fits(other, x, dy, True, through=True):
            return measured(
                NAME, OTHER, f"that of a variance with correction {c:g}, which is not the one that normalises"
            )
    if centred and (mixed := _mixed(seen, x, dy)):
        return measured(NAME, OTHER, mixed)
    if not all(np.isfinite(dx).all() for dx, _ in seen):
        return measured(NAME, OTHER, "the gradient is not finite")
    return measured(NAME, OTHER, "neither through the variance nor with the variance held constant")


def _mixed(seen: list[tuple[Table, Rule]], x: Table, dy: Table) -> str:
    """Through the variance that normalises, but with another epsilon or another divisor in its derivative; in words."""
    n = x.shape[1]
    dev = x - x.mean(axis=1, keepdims=True)
    bent = (dy * dev).sum(axis=1, keepdims=True) * dev
    direct = dy - dy.mean(axis=1, keepdims=True)
    (first, rule), *others = seen
    if others:  # two epsilons handed over would have to be mixed alike
        return ""
    for divisor, eps in itertools.product((n, n - 1), (0.0, *(10.0**k for k in range(-3, -9, -1)))):
        d = np.sqrt((dev**2).sum(axis=1, keepdims=True) / (n - rule.correction) + eps)
        want = direct / d - bent / d**3 / divisor
        size = np.abs(direct / d).max(axis=1) + np.abs(bent / d**3 / divisor).max(axis=1)
        if (np.abs(first - want).max(axis=1) <= _ROUNDINGS * size).all():
            which = "n" if divisor == n else "n - 1"
            return (
                f"through the variance with epsilon {eps:g} inside the root and the divisor {which} in its derivative"
            )
    return ""


def _fits(
    seen: list[tuple[Table, Rule]], x: Table, dy: Table, centred: bool, *, through: bool, mean: bool = True
) -> bool:
    for dx, rule in seen:
        for row, out, given in zip(x, dy, dx, strict=True):
            want, size = expected(row, out, rule, centred, through=through, mean=mean)
            if not np.abs(given - want).max() <= _ROUNDINGS * size * 4:
                return False
    return True
