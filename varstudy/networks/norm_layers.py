"""One normalisation layer of a network: what it takes together, by which formula, and with which epsilon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.enums import StrEnum

__all__ = ["KINDS", "Formula", "NormLayer", "listed"]

# Layers that a sentence names; a table has all.
NAMED = 4
KINDS = ("batch", "layer", "group", "instance", "rms")


class Formula(StrEnum):
    """How a layer computes what it divides by.

    FUSED is one operator, whose accumulator the runtime chooses; RUNNING is one that computes no variance, since it
    has kept one. The others are graphs of operators, each of whose results is stored in the network's format.
    """

    FUSED = "fused"
    RUNNING = "running statistics"
    TWO_PASS = "two-pass"
    NAIVE = "E[x^2] - E[x]^2"
    SQUARES = "mean of squares"

    @property
    def decomposed(self) -> bool:
        """Whether every step's result is stored."""
        return self in (Formula.TWO_PASS, Formula.NAIVE, Formula.SQUARES)


@dataclass(frozen=True)
class NormLayer:
    """A layer, as it stands in the network.

    Attributes
    ----------
    name : of the operator or module. kind : one of `KINDS`. formula : how it computes.
    epsilon : what it adds to the variance, or to the mean of squares.
    axes : which axes of the input a layer or RMS norm takes together; negative ones count from the end. Batch norm
        takes all but axis 1, instance norm all from axis 2, group norm those of a group of neighbouring channels.
    groups : of group norm, else 0. channels_last : whether its channels are the input's last axis, and not axis 1.
    mean, variance : the running statistics of batch norm, float64 arrays (channels,); else None.
    stores_sum : whether the sum of squares itself is stored, before it is divided.
    nodes : the operators to keep in a wider format together, in the graph's order; of a module its own name.
    """

    name: str
    kind: str
    formula: Formula
    epsilon: float
    axes: tuple[int, ...] = (-1,)
    groups: int = 0
    channels_last: bool = False
    mean: NDArray[np.float64] | None = None
    variance: NDArray[np.float64] | None = None
    stores_sum: bool = False
    nodes: tuple[str, ...] = ()

    def rows(self, x: NDArray[Any]) -> NDArray[Any]:
        """The values that the layer takes together: an array (rows, n) of x's dtype.

        Raises
        ------
        ValueError
            The input's shape does not fit the layer.
        """
        if x.ndim < 1 or x.size == 0:
            raise ValueError(f"its input has shape {x.shape}, and so no values")
        if self.kind == "group":
            at = self._channel_axis(x.ndim)
            if x.ndim < 2 or not self.groups or x.shape[at] % self.groups:
                raise ValueError(f"its input has shape {x.shape}, whose axis {at} is not cut into {self.groups} groups")
            return np.moveaxis(x, at, 1).reshape(x.shape[0] * self.groups, -1)
        axes = self._axes(x.ndim)
        kept = [a for a in range(x.ndim) if a not in axes]
        n = math.prod(x.shape[a] for a in axes)
        return x.transpose(*kept, *axes).reshape(-1, n)

    def spread(self, values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """One value for each of `rows`, as an array that broadcasts against the input, whose shape is given."""
        if self.kind == "group":
            at = self._channel_axis(len(shape))
            channels = np.repeat(values.reshape(shape[0], self.groups), shape[at] // self.groups, axis=1)
            return channels.reshape([n if a in (0, at) else 1 for a, n in enumerate(shape)])
        axes = self._axes(len(shape))
        return values.reshape([1 if a in axes else n for a, n in enumerate(shape)])

    def parameter(self, values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """A weight or a bias, as an array that broadcasts against the input, whose shape is given.

        Raises
        ------
        ValueError
            It has another number of values than the layer has parameters.
        """
        if self.kind in ("layer", "rms"):
            if values.shape != tuple(shape[a] for a in self._axes(len(shape))) and values.size != 1:
                raise ValueError(f"its weight has shape {values.shape}, and its input {shape}")
            return values
        flat, at = values.reshape(-1), self._channel_axis(len(shape))
        if self.groups and flat.size == self.groups:  # ONNX's opset 18 has a weight a group
            flat = np.repeat(flat, shape[at] // self.groups)
        if flat.size != shape[at]:
            raise ValueError(f"its weight has {flat.size} values, and its input {shape[at]} channels")
        return flat.reshape([n if a == at else 1 for a, n in enumerate(shape)])

    def _channel_axis(self, rank: int) -> int:
        return rank - 1 if self.channels_last else min(1, rank - 1)

    def _axes(self, rank: int) -> tuple[int, ...]:
        if self.kind == "batch":
            return tuple(a for a in range(rank) if a != 1)
        if self.kind == "instance":
            return tuple(range(2, rank)) or (rank - 1,)
        if any(not -rank <= a < rank for a in self.axes):
            raise ValueError(f"its input has {rank} axes, and it takes axes {self.axes} together")
        return tuple(sorted({a % rank for a in self.axes}))


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
