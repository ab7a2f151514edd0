"""Blocks of a row's values that lie next to each other: in the view itself, or gathered in a small buffer.

A row's values in the order (segment, position) are cut into blocks of one length. A block within one segment of
contiguous values is used where it is. Any other is copied into a buffer that stays in cache, for several rows at
once where neighbouring rows lie closer together than the neighbours in a row (channels last, the first axis).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from .jit import inline
from .simd import copy_run

__all__ = ["CARRIERS", "contiguous", "gather", "held", "onward", "rows_together"]

# How an array of a format enters a kernel: bfloat16 and float16 as 16-bit integers; the dtype, and Numba's type.
CARRIERS: dict[str, Any] = {
    "float16": (np.uint16, types.uint16),
    "bfloat16": (np.int16, types.int16),
    "float32": (np.float32, types.float32),
    "float64": (np.float64, types.float64),
}

# Rows that are gathered side by side: a cache line of float32.
TOGETHER = 16


def contiguous(view: NDArray[Any]) -> bool:
    """Whether the values of a segment lie next to each other."""
    return view.shape[2] == 1 or view.strides[2] == view.itemsize


def onward(view: NDArray[Any]) -> bool:
    """Whether a row of one segment is followed by the next row in memory, so that it pays to read ahead across rows."""
    segments, _, length = view.shape
    return bool(segments == 1 and view.strides[1] == length * view.itemsize)


def rows_together(view: NDArray[Any]) -> int:
    """How many rows of a view (segments, rows, length) are best gathered side by side."""
    segments, rows, length = view.shape
    inner = view.strides[2] if length > 1 else view.strides[0] if segments > 1 else 0
    return min(rows, TOGETHER) if rows > 1 and abs(view.strides[1]) < abs(inner) else 1


def held(rows: int, block: int, dtype: Any) -> NDArray[Any]:
    """A buffer (1, rows, block or more) for `gather`. A row more than a power of two long: else the rows' values of one
    place would all fall into the same few lines of the cache."""
    return np.empty((1, rows, block + 16), dtype=dtype)


@inline
def gather(view, first, rows, begin, count, buffer, adjacent):  # type: ignore[no-untyped-def]
    """Copy the values begin .. begin + count - 1 of the rows first .. first + rows - 1 to buffer[0, row, :].

    adjacent: the values of a segment lie next to each other.
    """
    length = view.shape[2]
    s = begin // length
    i = begin - s * length
    if rows == 1:
        j = 0
        while j < count:
            run = min(length - i, count - j)
            if adjacent:
                copy_run(view, s, first, i, buffer, 0, j, run)
            else:
                for k in range(run):
                    buffer[0, 0, j + k] = view[s, first, i + k]
            j += run
            s += 1
            i = 0
    else:
        for j in range(count):
            for r in range(rows):
                buffer[0, r, j] = view[s, first + r, i]
            i += 1
            if i == length:
                i = 0
                s += 1
