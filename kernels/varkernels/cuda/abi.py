"""The arguments of every kernel, in order: whole numbers of 64 bits all of them, addresses of global memory included.

So that the executor and the driver marshal alike, and no kernel depends on how Numba flattens an array.
Strides are in elements. Counts of values, rows and parts stay below 2^31 (`plan` refuses more).
"""

from __future__ import annotations

__all__ = ["FINISH", "LIMIT", "SWEEP"]

LIMIT = 2**31 - 1

# The kinds thread, sweep, tile and held.
SWEEP = (
    "data",  # address of value 0 of row 0
    "rows",  # rows in a block of the view
    "total",  # rows in all its blocks
    "length",  # values in a segment
    "values",  # values in a row: segments times length
    "block_stride",
    "segment_stride",
    "row_stride",
    "stride",
    "vectors",  # 1: where a row starts on 16 bytes, all its whole steps lie on 16 bytes and within a segment
    "parts",  # how many teams (threads, for the kind thread) share a row
    "team",  # threads that share a part, a power of two: the block where they are more than a warp
    "centres",  # address: (total, 2) numbers, the rows' centres, high and low; not read without a centre
    "states",  # address: (total, parts, fields) numbers; written if parts > 1
    "counts",  # address: (total, parts) int32; written if parts > 1
    "answers",  # address: (total, 2) numbers, what the verb `read` gives; written if parts = 1
)

# The kind finish.
FINISH = ("total", "parts", "states", "counts", "answers")
