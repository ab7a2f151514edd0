"""Arrays as they lie in a file: with strides, and without what repeats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Packed", "pack", "pack_cycled"]

# Between the rows of the memory "pitch": so many numbers, of this value.
_GAP = 7
_GARBAGE = 12345.0


@dataclass(frozen=True, eq=False)
class Packed:
    """An array with strides.

    The element of the indices i is number p = sum i_k strides_k of the memory, which is data[p] where p < len(data),
    and else data[head + (p - head) mod (len(data) - head)].

    Attributes
    ----------
    data : flat array. shape, strides : in elements. head : how many values stand before those that repeat.
    """

    data: NDArray[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    head: int = 0

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie in memory in the order of the indices."""
        return self.strides == _row_strides(self.shape)

    def array(self) -> NDArray[Any]:
        """A new array that may be written to, with these strides."""
        extent = 1 + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        size = len(self.data)
        if size >= extent:
            memory = self.data[: max(size, extent)].copy()
        else:
            at = np.arange(extent)
            memory = self.data[np.where(at < size, at, self.head + (at - self.head) % (size - self.head))]
        if self.contiguous:
            return memory[:extent].reshape(self.shape)
        width = memory.dtype.itemsize
        return np.lib.stride_tricks.as_strided(memory, self.shape, [step * width for step in self.strides])


def _row_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[k + 1 :]) for k in range(len(shape)))


def pack(array: NDArray[Any], memory: str = "rows") -> Packed:
    """An array in a memory layout: "rows", "channels-last" or "pitch"."""
    shape = array.shape
    if memory == "channels-last":
        moved = np.ascontiguousarray(np.moveaxis(array, 1, -1))
        steps = [step // array.dtype.itemsize for step in np.moveaxis(moved, -1, 1).strides]
        return Packed(moved.reshape(-1), shape, tuple(steps))
    if memory == "pitch":
        wide = np.full((shape[0], shape[1] + _GAP), _GARBAGE).astype(array.dtype)
        wide[:, : shape[1]] = array
        return Packed(wide.reshape(-1), shape, (wide.shape[1], 1))
    return Packed(np.ascontiguousarray(array).reshape(-1), shape, _row_strides(shape))


def pack_cycled(array: NDArray[Any], cycles: tuple[tuple[int, int], ...]) -> Packed:
    """An array in memory order, without its repetitions if it has one of the cycles (head, period)."""
    whole = pack(array)
    bits = whole.data.view(np.dtype(f"u{array.dtype.itemsize}"))
    for head, period in cycles:
        if period and head + period < bits.size and np.array_equal(bits[head + period :], bits[head:-period]):
            return Packed(whole.data[: head + period], whole.shape, whole.strides, head)
    return whole
