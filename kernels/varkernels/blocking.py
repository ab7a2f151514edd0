"""Blocks of a row's values that lie next to each other: in the view itself, or gathered in a small buffer.

A row's values in the order (segment, position) are cut into blocks of one length. A block within one segment of
contiguous values is used where it is. Any other is copied into a buffer that stays in cache, for several rows at
once where neighbouring rows lie closer together than the neighbours in a row (channels last, the first axis).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "CARRIERS", "LANES", "contiguous", "held", "onward", "rows_together"]

# The dtype in which an array of a format enters a kernel: bfloat16 and float16 as 16-bit integers.
CARRIERS: dict[str, Any] = {
    "float16": np.uint16,
    "bfloat16": np.int16,
    "float32": np.float32,
    "float64": np.float64,
}

# Values of a vector (see `simd`).
LANES = 8
# Values that the exact sums take at a time: so many of whose parts float64 adds exactly.
BLOCK = 1024

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
