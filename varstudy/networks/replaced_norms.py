"""A norm layer computed in another way: what its statistics cost where a format stores, squares and adds.

Only the layer's own way is replaced. Its input is rounded to the format that stores it; an algorithm of the study takes
mean and variance of the rounded values in an accumulator; epsilon is rounded to the accumulator's format. The rest,
(x - mean) / sqrt(variance + epsilon) weight + bias, is computed in float64 and rounded once to the format that stores.
An RMS norm has no mean: its squares are rounded to the accumulator's format and added one after the other, or in pairs
for ``pairwise``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.dispatch import moments
from varkernels.formats import FLOAT32, Format
from varkernels.norms.ordered import ordered_sums
from varkernels.stats.functions import mean_var

from .norm_layers import Formula, NormLayer

__all__ = ["EXACT", "Way", "fits", "replaced", "ways"]

ALGORITHMS = ("naive", "two_pass", "welford", "pairwise")


@dataclass(frozen=True)
class Way:
    """How to compute a norm.

    Attributes
    ----------
    storage : the format of its input and output; None: nothing is rounded.
    algorithm : of the study; an empty string for correctly rounded statistics. accumulator : of the algorithm.
    """

    storage: Format | None
    algorithm: str = ""
    accumulator: Format | None = None

    def __str__(self) -> str:
        if self.storage is None:
            return "exact statistics, nothing rounded"
        if not self.algorithm:
            return f"stored in {self.storage.name}, exact statistics"
        return f"{self.algorithm} in {self.accumulator}"


# What all others are compared with.
EXACT = Way(None)


def ways(fmt: Format) -> list[Way]:
    """Storage alone; then each algorithm with an accumulator of float32 and of the format."""
    return [Way(fmt), *(Way(fmt, name, accumulator) for accumulator in (FLOAT32, fmt) for name in ALGORITHMS)]


def replaced(
    layer: NormLayer,
    x: NDArray[Any],
    way: Way,
    weight: NDArray[Any] | None = None,
    bias: NDArray[Any] | None = None,
) -> NDArray[np.float64]:
    """The layer's output, computed in a way; running statistics are taken as they are.

    Raises
    ------
    ValueError
        The input's shape does not fit the layer or its parameters.
    """
    with np.errstate(all="ignore"):
        stored = x if way.storage is None else way.storage.rounded(x.astype(np.float64))
        mean, divisor = _statistics(layer, layer.rows(stored), way)
        epsilon = layer.epsilon
        if way.accumulator is not None:
            epsilon = float(way.accumulator.rounded([epsilon])[0])
        y = stored.astype(np.float64) - layer.spread(mean, x.shape)
        y /= np.sqrt(layer.spread(divisor, x.shape) + epsilon)
        if weight is not None:
            y *= layer.parameter(weight.astype(np.float64), x.shape)
        if bias is not None:
            y += layer.parameter(bias.astype(np.float64), x.shape)
        return y if way.storage is None else way.storage.rounded(y).astype(np.float64)


def _statistics(layer: NormLayer, rows: NDArray[Any], way: Way) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean that is subtracted from each row, and what epsilon is added to."""
    if layer.formula is Formula.RUNNING:
        if layer.mean is None or layer.variance is None:
            raise ValueError("its running statistics are not known")
        return layer.mean, layer.variance
    zero = np.zeros(len(rows))
    if not way.algorithm or way.accumulator is None:
        mean, variance = mean_var(rows.astype(np.float64), axis=1)
        return (zero, variance + mean * mean) if layer.kind == "rms" else (mean, variance)
    if layer.kind == "rms":
        squares = way.accumulator.rounded(rows.astype(np.float64) ** 2)
        order = "pairwise" if way.algorithm == "pairwise" else "running"
        total = ordered_sums(np.ascontiguousarray(squares.T), order, way.accumulator.name).values
        return zero, total.astype(np.float64) / rows.shape[1]
    found = moments(np.ascontiguousarray(rows)[None], way.algorithm, way.accumulator.name)
    return found.mean.astype(np.float64), np.asarray(found.variance(0), np.float64)


def fits(exact: NDArray[np.float64], computed: NDArray[Any]) -> bool:
    """Whether a layer's own output is that of `replaced` with exact statistics, but for what its format may lose.

    A wrong weight, a mean that is not subtracted or another epsilon changes more than a hundredth; so does a layer that
    has already lost its digits, which is not replaced then.
    """
    if exact.shape != computed.shape:
        return False
    known = np.isfinite(exact) & np.isfinite(computed.astype(np.float64))
    size = float(np.linalg.norm(exact[known]))
    return bool(known.any()) and float(np.linalg.norm((computed.astype(np.float64) - exact)[known])) <= size / 100
