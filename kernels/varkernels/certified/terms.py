"""What the certified kernels and their callers share: numbers that stand for questions and notes, sizes, and sums.

Nothing here needs a compiler.
"""

from __future__ import annotations

from ..blocking import LANES
from ..formats import FORMATS
from ..formulas.errorfree import fast_two_sum, two_sum
from ..inlining import inline

__all__ = [
    "BLOCK",
    "CODES",
    "CUT",
    "DEGREES",
    "EMPTY",
    "GRIDDED",
    "INVALID",
    "LONGEST",
    "MEAN",
    "NAN",
    "OPPOSITE",
    "OVERFLOW",
    "SEGMENTS",
    "SHORT",
    "STD",
    "VARIANCE",
    "add_pairs",
    "depths",
]

# What can be asked for: the number of its bit. The table of answers has a row for each that is, in this order.
MEAN, VARIANCE, STD = 0, 1, 2
# A format's place in the table of what rounding to it takes.
CODES = {name: code for code, name in enumerate(FORMATS)}
# Notes, bits of what a kernel answers. The first: a variance or a standard deviation is beyond the format's largest
# number.
OVERFLOW, DEGREES, EMPTY, OPPOSITE, INVALID, NAN = 1, 2, 4, 8, 16, 32

# Values of a block of a long row: two streams of it are read side by side, half a block apart.
BLOCK = 4096
# Up to this length rows are taken eight at a time.
SHORT = 192
# From so many float64 values in a row on, rows are cut on a grid: columns and eight rows at a time from CUT on, which
# takes 0.4 to 0.8 of the time, and single rows from GRIDDED values on that lie next to each other, half of the time in
# the caches and 0.9 from memory.
CUT, GRIDDED = 64, 1 << 11
# Values of a row that the buffer of the rows that are taken one by one holds: 512 KiB.
LONGEST = 1 << 16
# Segments of a row after whose ends the lanes' sums are merged.
SEGMENTS = 16


@inline
def add_pairs(ah, al, bh, bl):  # type: ignore[no-untyped-def]
    """The sum of two double-doubles: AccurateDWPlusDW, at most 3 u^2 + 13 u^3 of it off (Joldes, Muller, Popescu 2017,
    doi:10.1145/3121432, algorithm 6)."""
    sh, sl = two_sum(ah, bh)
    th, tl = two_sum(al, bl)
    vh, vl = fast_two_sum(sh, sl + th)
    return fast_two_sum(vh, tl + vl)


@inline
def depths(segments, length):  # type: ignore[no-untyped-def]
    """At most so many values in a lane, and so many merges on the longest way, of a row that is read in blocks."""
    lane = min(segments, SEGMENTS) * (min(length, BLOCK) // (2 * LANES) + 2)
    blocks = segments * (length // BLOCK)
    return max(lane, 258 if blocks else 0), blocks + segments // SEGMENTS + 8
