"""The certified kernels: rows whose values lie next to each other, short rows eight at a time, and columns.

Each is written once for all four formats (see `states`), reads every value from memory once, and decides its rows in
tiles that stay in the first-level cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from ..arithmetic_test import is_default
from ..inlining import inline
from ..simd import LANES, load, prefetch, splat
from ..smallfloat import decode
from .deciding import decide, divisors, undecided
from .settling import settled_column, settled_row
from .states import empty, keep, kept, merged, put, step
from .terms import BLOCK, SEGMENTS, depths
from .vectors import across, fetch, load_columns, load_part, one_row, or_nan, store

__all__ = [
    "IRREGULAR",
    "SMALLEST",
    "TILE",
    "column_depths",
    "column_sums",
    "columns",
    "decided",
    "eight_rows",
    "long_rows",
    "rows_ahead",
    "short_rows",
    "short_sums",
    "single",
    "sums_of_row",
]

# A shift below that becomes NaN, which leaves the row undecided at full speed: its squares would underflow, slowly.
SMALLEST = 2.0**-600
# What a kernel answers, instead of a number of rows, where arithmetic is not what its bounds are proven for.
IRREGULAR = -1
# Rows whose sums are decided together.
TILE = 64
_COLUMNS = 512
# Values of a column at a visit, and after how many values its sums are merged into others.
_DEEP = 8
_MERGE = 4096
# Columns of up to so many values are read at one visit.
_FEW = 16
# Bytes by which short rows are asked for ahead.
_AHEAD = 4096


@inline
def _shift(view, r):  # type: ignore[no-untyped-def]
    """A row's first value where its first 16 are equal, else their mean: in float32, so that many differences are
    exact, or in float64 where float32 does not hold it."""
    length = min(16, view.shape[2])
    first = np.float64(decode(view[0, r, 0]))
    sums, most = 0.0, 0.0
    same = True
    for i in range(length):
        x = np.float64(decode(view[0, r, i]))
        sums += x
        most = max(most, abs(x))
        same &= x == first
    mean = sums / np.float64(length)
    near = np.float64(np.float32(mean))
    if most < SMALLEST and not same:  # all are so small; a mean alone may be small, or 0, because they cancel
        return np.nan
    return first if same else (near if abs(near) < np.inf and near != 0.0 else mean)


@inline
def _narrow_block(view, s, r, i, c):  # type: ignore[no-untyped-def]
    a, b, d, e = empty(view), empty(view), empty(view), empty(view)
    for j in range(i, i + BLOCK // 2, 2 * LANES):
        prefetch(view, s, r, j + BLOCK)
        prefetch(view, s, r, j + BLOCK + LANES)
        prefetch(view, s, r, j + BLOCK + BLOCK // 2)
        prefetch(view, s, r, j + BLOCK + BLOCK // 2 + LANES)
        a = step(load(view, s, r, j), c, a)
        b = step(load(view, s, r, j + LANES), c, b)
        d = step(load(view, s, r, j + BLOCK // 2), c, d)
        e = step(load(view, s, r, j + BLOCK // 2 + LANES), c, e)
    return merged(merged(a, b), merged(d, e))


@inline
def _wide_block(view, s, r, i, c):  # type: ignore[no-untyped-def]
    a, b = empty(view), empty(view)
    for start in range(i, i + BLOCK, BLOCK // 2):
        for j in range(start, start + BLOCK // 4, LANES):
            prefetch(view, s, r, j + BLOCK // 2)
            prefetch(view, s, r, j + BLOCK // 2 + BLOCK // 4)
            a = step(load(view, s, r, j), c, a)
            b = step(load(view, s, r, j + BLOCK // 4), c, b)
    return merged(a, b)


def _block(*of: Any) -> Any:
    raise RuntimeError("_block() runs within compiled kernels only")


@overload(_block)
def _block_of(view, s, r, i, c):  # type: ignore[no-untyped-def]
    """The sums of BLOCK values; of at most 258 of them in a lane, with at most 2 merges."""
    return _wide_block if view.dtype == types.float64 else _narrow_block


@inline
def _row(view, r, c):  # type: ignore[no-untyped-def]
    """The sums of one row about c."""
    segments, _, length = view.shape
    shift = splat(c)
    found, a, b = empty(view), empty(view), empty(view)
    for s in range(segments):
        i = 0
        while i + BLOCK <= length:
            found = merged(found, _block(view, s, r, i, shift))
            i += BLOCK
        while i + 2 * LANES <= length:
            prefetch(view, s, r, i + 2048)
            prefetch(view, s, r, i + 2048 + LANES)
            a = step(load(view, s, r, i), shift, a)
            b = step(load(view, s, r, i + LANES), shift, b)
            i += 2 * LANES
        if i + LANES <= length:
            a = step(load(view, s, r, i), shift, a)
            i += LANES
        if i < length:
            b = step(load_part(view, s, r, i, length - i, shift), shift, b)
        if s % SEGMENTS == SEGMENTS - 1:
            found = merged(found, merged(a, b))
            a, b = empty(view), empty(view)
    return merged(found, merged(a, b))


def long_rows(view, above, below, wants, code, out):  # type: ignore[no-untyped-def]
    """Rows of a view (blocks, segments, rows, length) whose segments' values lie next to each other.

    above, below : the number of values in a row less the correction, a double-double. The rest as for
    `deciding.decide`; out : (as many as are wanted, blocks rows). Answers how many rows are left undecided, which have
    a NaN among their answers, or IRREGULAR; and the notes.
    """
    blocks, segments, rows, length = view.shape
    n = segments * length
    state = empty(view)
    sums = np.empty((5, TILE + LANES))
    each, which = divisors(n, above, below), np.empty(TILE, np.int64)
    k, m = depths(segments, length)
    left, notes = 0, 0
    if not is_default():
        return IRREGULAR, 0
    for b in range(blocks):
        block = view[b]
        for start in range(0, rows, TILE):
            w = min(TILE, rows - start)
            for j in range(w):
                c = _shift(block, start + j)
                sums[0, j] = c
                put(sums, j, _row(block, start + j, c))
            at = b * rows + start
            failed, more = decide(state, sums, w, each, k, m, wants, code, out, at)
            notes |= more
            if failed:
                for j in which[: undecided(out, at, w, which)]:
                    r = start + j
                    left += not settled_row(state, block, r, sums, j, n, above, below, wants, code, out, at + j)
    return left, notes


def single(x, above, below, want, code):  # type: ignore[no-untyped-def]
    """One answer (want: MEAN, VARIANCE or STD) for all values of a contiguous array of one dimension, not empty; NaN
    where it is not decided, or there is anything to warn of. above, below: as for `long_rows`."""
    view = one_row(x)
    if not (above > 0.0 and is_default()):
        return np.nan
    sums, out = np.empty((5, 1)), np.empty((1, 1))
    c = _shift(view, 0)
    sums[0, 0] = c
    put(sums, 0, _row(view, 0, c))
    k, m = depths(1, x.size)
    state = empty(view)
    failed, notes = decide(state, sums, 1, divisors(x.size, above, below), k, m, 1 << want, code, out, 0)
    if failed and not settled_row(state, view, 0, sums, 0, x.size, above, below, 1 << want, code, out, 0):
        return np.nan
    return out[0, 0] if notes == 0 else np.nan


def sums_of_row(view, given, c, out):  # type: ignore[no-untyped-def]
    """The sums of the only row of a view (1, segments, 1, length), about c where it is given, as out[:, 0]."""
    if not given:
        c = _shift(view[0], 0)
    out[0, 0] = c
    put(out, 0, _row(view[0], 0, c))


def decided(view, sums, n, k, m, above, below, wants, code, out):  # type: ignore[no-untyped-def]
    """`deciding.decide` for the one row of n values whose sums, of the kind of the view's, stand in sums[:, 0]."""
    if not is_default():
        return IRREGULAR, 0
    return decide(empty(view), sums, 1, divisors(n, above, below), k, m, wants, code, out, 0)


@inline
def eight_rows(view, s, r, begin, length, ahead, c, found):  # type: ignore[no-untyped-def]
    """The sums with the values view[s, r : r + LANES, begin:length] more, a row in each lane; begin: 0 or 1. `ahead`
    rows further on values are asked for."""
    for i in range(0, length, LANES):
        some = min(LANES, length - i)
        for lane in range(LANES):
            prefetch(view, s, r + ahead + lane, i)
        x = load_columns(view, s, r, i, some)
        if i >= begin:
            found = step(x[0], c, found)
        if some > 1:
            found = step(x[1], c, found)
        if some > 2:
            found = step(x[2], c, found)
        if some > 3:
            found = step(x[3], c, found)
        if some > 4:
            found = step(x[4], c, found)
        if some > 5:
            found = step(x[5], c, found)
        if some > 6:
            found = step(x[6], c, found)
        if some > 7:
            found = step(x[7], c, found)
    return found


@inline
def short_sums(block, start, w, n, ahead, sums):  # type: ignore[no-untyped-def]
    """The sums of w rows block[:, start : start + w] of n values about their first values, as sums[:, :w]; at least
    eight rows, of which eight at a time are in lanes. `ahead` rows further on values are asked for."""
    segments, _, length = block.shape
    for at in range(0, w, LANES):
        j = min(at, w - LANES)
        r = start + j
        c = or_nan(across(block, 0, r, 0), SMALLEST)
        found = empty(block)
        for s in range(segments):
            found = eight_rows(block, s, r, 1 if s == 0 and n > 1 else 0, length, ahead, c, found)
        store(sums, 0, j, c)
        keep(sums, j, found)


@inline
def rows_ahead(view):  # type: ignore[no-untyped-def]
    """How many rows further on values of short rows are asked for."""
    return _AHEAD // (view.shape[3] * view.itemsize) // LANES * LANES + LANES


def short_rows(view, above, below, wants, code, out):  # type: ignore[no-untyped-def]
    """The same for at least eight rows of few values: eight at a time, each in a lane."""
    blocks, segments, rows, length = view.shape
    n = segments * length
    state = empty(view)
    sums = np.empty((5, TILE))
    each, which = divisors(n, above, below), np.empty(TILE, np.int64)
    ahead = rows_ahead(view)
    left, notes = 0, 0
    if not is_default():
        return IRREGULAR, 0
    for b in range(blocks):
        block = view[b]
        begin = 0
        while begin < rows:
            start = max(min(begin, rows - LANES), 0)
            w = min(TILE, rows - start)
            short_sums(block, start, w, n, ahead, sums)
            at = b * rows + start
            failed, more = decide(state, sums, w, each, n, 0, wants, code, out, at)
            notes |= more
            if failed:
                for j in which[: undecided(out, at, w, which)]:
                    r = start + j
                    settled = settled_row(state, block, r, sums, j, n, above, below, wants, code, out, at + j)
                    left += not settled and r >= begin  # the last tile has rows of the one before
            begin = start + w
    return left, notes


@inline
def column_sums(block, start, w, state, sums, others):  # type: ignore[no-untyped-def]
    """The sums of w columns block[:, :, start : start + w] about their first values, as sums[:, :w]. others : a table
    of the same shape, which is overwritten where a column is long. At most `column_depths` additions and merges."""
    outer, inner = block.shape[0], block.shape[1]
    n = outer * inner
    merges = n // _MERGE
    few = outer == 1 and inner <= _FEW
    skipped = 1 if n > 1 else 0  # the shift itself
    for j in range(0, w, LANES):
        whole = j + LANES <= w
        if whole:
            c = or_nan(load(block, 0, 0, start + j), SMALLEST)
        else:
            c = or_nan(load_part(block, 0, 0, start + j, w - j, splat(0.0)), SMALLEST)
        found = state
        if few and whole:
            for d in range(skipped, inner):
                found = step(load(block, 0, d, start + j), c, found)
        elif few:
            for d in range(skipped, inner):
                found = step(load_part(block, 0, d, start + j, w - j, c), c, found)
        store(sums, 0, j, c)
        keep(sums, j, found)
        if merges:
            keep(others, j, state)
    done = 0
    for o in range(0 if few else outer):
        for i in range(0, inner, _DEEP):
            deep = min(_DEEP, inner - i)
            for j in range(0, w, LANES):
                c = fetch(sums, 0, j)
                found = kept(sums, j, state)
                if w - j < LANES:
                    for d in range(deep):
                        found = step(load_part(block, o, i + d, start + j, w - j, c), c, found)
                elif deep == _DEEP:
                    for d in range(_DEEP):
                        found = step(load(block, o, i + d, start + j), c, found)
                else:
                    for d in range(deep):
                        found = step(load(block, o, i + d, start + j), c, found)
                keep(sums, j, found)
            done += deep
            if done >= _MERGE:
                done = 0
                for j in range(0, w, LANES):
                    keep(others, j, merged(kept(others, j, state), kept(sums, j, state)))
                    keep(sums, j, state)
    if merges:
        for j in range(0, w, LANES):
            keep(sums, j, merged(kept(others, j, state), kept(sums, j, state)))


@inline
def column_depths(n):  # type: ignore[no-untyped-def]
    """The additions and the merges on the longest way of a value of `column_sums`."""
    return min(n, _MERGE + _DEEP), n // _MERGE + 1


def columns(view, above, below, wants, code, out):  # type: ignore[no-untyped-def]
    """The same for a view (blocks, outer, inner, rows) of rows that lie next to each other: both middle axes are
    reduced."""
    blocks, outer, inner, rows = view.shape
    n = outer * inner
    state = empty(view)
    sums, others = np.empty((5, _COLUMNS + LANES)), np.empty((5, _COLUMNS + LANES))
    each, which = divisors(n, above, below), np.empty(_COLUMNS, np.int64)
    k, m = column_depths(n)
    left, notes = 0, 0
    if not is_default():
        return IRREGULAR, 0
    for b in range(blocks):
        block = view[b]
        for start in range(0, rows, _COLUMNS):
            w = min(_COLUMNS, rows - start)
            column_sums(block, start, w, state, sums, others)
            at = b * rows + start
            failed, more = decide(state, sums, w, each, k, m, wants, code, out, at)
            notes |= more
            if failed:
                for j in which[: undecided(out, at, w, which)]:
                    r = start + j
                    left += not settled_column(state, block, r, sums, j, n, above, below, wants, code, out, at + j)
    return left, notes
