"""Blocks of a row's values that do not lie next to each other, copied into a buffer; see `blocking`."""

from __future__ import annotations

from ..inlining import inline
from ..simd import copy_run

__all__ = ["gather"]


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
