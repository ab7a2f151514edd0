"""What a format costs the variance of a layer's own rows: by storing them, and by each way to compute."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import Format
from varkernels.stats.functions import mean_var

from ..study.verdict import Verdict, check
from .layer_facts import LayerFacts
from .norm_layers import Formula

__all__ = ["SHOWN", "Losses", "losses"]

# Algorithms whose error every audit shows, with the accumulator: None is the format itself.
SHOWN: tuple[tuple[str, str | None], ...] = (
    ("naive", "float32"),
    ("two_pass", None),
    ("welford", None),
    ("pairwise", None),
)


@dataclass(frozen=True)
class Losses:
    """Relative errors of variance + epsilon, worst of the kept rows; of RMS norm, of the mean of squares.

    Attributes
    ----------
    rows, values : how many rows of how many values were measured.
    storage : what rounding the values to the format changes; infinite where one overflows.
    algorithms : by (algorithm, accumulator), the relative error of the variance on the rounded values; infinite where
        an answer is NaN or infinite. Empty for RMS norm and running statistics, which compute no variance.
    verdict : what `varstudy.check` says of the rounded rows; None where there is no variance to compute.
    """

    rows: int
    values: int
    storage: float
    algorithms: dict[tuple[str, str], float]
    verdict: Verdict | None


def losses(facts: LayerFacts, fmt: Format) -> Losses | None:
    """Measure the kept rows of a layer in a format; None where there are none."""
    sample, layer = facts.sample, facts.layer
    if sample is None or sample.shape[1] < 2:
        return None
    wide = sample.astype(np.float64)
    count, length = wide.shape
    with np.errstate(all="ignore"):
        stored = fmt.rounded(wide)
    changed = _changed(wide, stored.astype(np.float64), layer.epsilon, layer.kind == "rms")
    if layer.kind == "rms" or layer.formula is Formula.RUNNING:
        return Losses(count, length, changed, {}, None)
    if not np.isfinite(stored.astype(np.float64)).all(axis=1).any():
        return Losses(count, length, changed, {}, None)
    verdict = check(stored, "layer", layout="NC", epsilon=layer.epsilon)
    wanted = {(name, accumulator or fmt.name) for name, accumulator in SHOWN}
    if verdict.recommended:
        wanted.add(verdict.recommended)
    by_name = {
        (each.algorithm, each.accumulator): math.inf if each.nan or each.infinite else each.error_worst
        for each in verdict.answers
        if (each.algorithm, each.accumulator) in wanted
    }
    return Losses(count, length, changed, by_name, verdict)


def _changed(wide: NDArray[np.float64], stored: NDArray[np.float64], epsilon: float, squares: bool) -> float:
    """The largest relative change of variance + epsilon between two arrays of rows, from correctly rounded moments."""
    if not np.isfinite(stored).all():
        return math.inf
    (mean, before), (moved, after) = (mean_var(x, axis=1) for x in (wide, stored))
    if squares:
        before, after = before + mean * mean, after + moved * moved
    below = before + epsilon
    with np.errstate(all="ignore"):
        change = np.where(below > 0, np.abs(after - before) / np.where(below > 0, below, 1.0), 0.0)
    return float(change.max())
