"""Which values of an array share a mean, a variance and a parameter, norm by norm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..layouts import LAYOUTS, Layout
from ..stats.inputs import array_of
from ..views import axes_of, groups_of
from .pairs import Floats

__all__ = ["LAYERS", "Geometry", "blocks", "cut", "geometry_of"]

LAYERS = ("batch", "layer", "group", "instance", "rms")
_BY_RANK = {len(layout): layout for layout in reversed(LAYOUTS) if layout.index("C") == 1}


@dataclass(frozen=True)
class Geometry:
    """How a norm takes an array.

    Attributes
    ----------
    norm : its name. shape : that of the array with the channels cut into groups, for group norm; else the array's own.
    axes : those that a mean is taken over. parameter : the shape of weight and bias, which broadcasts to `shape`.
    given : the shape that callers give them in.
    """

    norm: str
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    parameter: tuple[int, ...]
    given: tuple[int, ...]

    @property
    def kept(self) -> tuple[int, ...]:
        """The shape of one number for each statistic, which broadcasts to `shape`."""
        return tuple(1 if a in self.axes else n for a, n in enumerate(self.shape))

    @property
    def shared(self) -> tuple[int, ...]:
        """The axes along which values share a parameter."""
        return tuple(a for a, n in enumerate(self.parameter) if n == 1)

    def parameters(self, name: str, values: Any) -> Floats | None:
        """A parameter as float64 numbers that broadcast to `shape`; None where there is none.

        Raises
        ------
        TypeError
            Its dtype is no number's.
        ValueError
            Its shape is another one.
        """
        if values is None:
            return None
        array = array_of(values)
        if array.shape != self.given:
            raise ValueError(f"{name} has the shape {array.shape}: give {self.given} for this {self.norm} norm")
        return array.astype(np.float64).reshape(self.parameter)


def geometry_of(norm: str, layout: str | None, groups: int, shape: tuple[int, ...]) -> Geometry:
    """The geometry of a norm of an array.

    Parameters
    ----------
    norm : one of `LAYERS`. layout : as of `varstudy.view`; None: channels are the second axis. groups : for group norm.
    shape : of the array, from two to five axes.

    Raises
    ------
    ValueError
        The norm or the layout is unknown, the rank does not fit, or groups does not divide the channels.
    """
    if norm not in LAYERS:
        raise ValueError(f"norm={norm!r} is unknown: use one of {', '.join(LAYERS)}")
    if layout is None and len(shape) not in _BY_RANK:
        raise ValueError(f"x has the shape {shape}: give an array with two to five axes")
    axes: Layout = axes_of(layout or _BY_RANK[len(shape)], shape)
    channel = axes.channel_axis
    everywhere = tuple(n if a == channel else 1 for a, n in enumerate(shape))
    if norm == "batch":
        return Geometry(norm, shape, (0, *axes.spatial_axes), everywhere, (shape[channel],))
    if norm == "instance":
        return Geometry(norm, shape, axes.spatial_axes, everywhere, (shape[channel],))
    if norm == "group":
        count = groups_of(groups, shape[channel])
        each = shape[channel] // count
        cut_up = (*shape[:channel], count, each, *shape[channel + 1 :])
        reduced = tuple(a for a in range(1, len(cut_up)) if a != channel)
        mine = tuple(n if a in (channel, channel + 1) else 1 for a, n in enumerate(cut_up))
        return Geometry(norm, cut_up, reduced, mine, (shape[channel],))
    return Geometry(norm, shape, tuple(range(1, len(shape))), (1, *shape[1:]), shape[1:])


def blocks(shape: tuple[int, ...], size: int) -> Iterator[tuple[slice, ...]]:
    """Slices that cut an array into neighbouring pieces of about `size` values each, in memory order."""
    axis, below = len(shape), 1
    while axis and below * shape[axis - 1] <= size:
        axis -= 1
        below *= shape[axis]
    if not axis:
        yield (slice(None),) * len(shape)
        return
    step, axis = max(1, size // max(1, below)), axis - 1
    for outer in np.ndindex(*shape[:axis]):
        for begin in range(0, shape[axis], step):
            yield (*(slice(k, k + 1) for k in outer), slice(begin, begin + step),
                   *(slice(None),) * (len(shape) - axis - 1))  # fmt: skip


def cut(array: NDArray[Any], piece: tuple[slice, ...]) -> NDArray[Any]:
    """What a piece of the whole needs of an array that broadcasts to it."""
    return array[tuple(slice(None) if n == 1 else part for n, part in zip(array.shape, piece, strict=True))]
