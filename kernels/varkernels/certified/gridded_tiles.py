"""Columns and short rows of float64 values cut on a grid: the proof of `gridded`, with a grid for each row.

A grid is chosen from a few values of a row, spread over it, and kept for all of it; the shift is rounded to a multiple
of g, with |c| <= FARTHEST g. The sums of at most DEEPEST values stand in one lane: large parts whose squares stay below
EXACT g^2, so that none of their sums has rounded, and small parts with at most k = STEPS roundings on a term's way.
They are then made double-doubles and merged, as `states` does, twice where s was summed with care. With A = n g^2 the
bounds of `gridded` hold for each row.

A row whose sums went beyond EXACT g^2, or which no grid suits, is left undecided. Where that is so for many rows of a
tile, the tile is summed as any other (`sweeps`).
"""

from __future__ import annotations

import numpy as np

from ..arithmetic_test import is_default
from ..formulas.errorfree import two_sum
from ..inlining import inline
from ..simd import LANES, load, prefetch, splat, vector_fma
from ..smallfloat import bits_of, from_bits
from .deciding import decide, decide_wide, divisors, undecided
from .gridded import EXACT, FARTHEST, LEAST, careful_step, cut_step, grid_growth
from .states import empty, keep, kept, merged
from .sweeps import IRREGULAR, TILE, column_depths, column_sums, rows_ahead, short_sums
from .vectors import across, fetch, load_columns, load_part, store

__all__ = [
    "DEEPEST",
    "STEPS",
    "cut_columns",
    "cut_rows",
    "gridded_columns",
    "gridded_short",
    "tile_grids",
    "tile_growths",
]

# Columns whose sums are decided together; their tables take 20 KiB.
_COLUMNS = 256
# Values of a column at a visit, and at most of a row between two merges.
_DEEP = 8
DEEPEST = 512
# k: the additions of a lane, the product's factor, and those that make a pair.
STEPS = DEEPEST + 4.0
# A tile is summed again where more than one row in so many is left undecided.
_MOST = 4
# Values of a row that are looked at first, across all of it.
_SAMPLE = 8
# The rows of the table of a tile's sums beyond those of `states`: errors of the sums of small parts; what is added to
# cut a value, and that plus c; g^2.
_REST, _CUT, _BOTH, _UNIT, _ALL = 5, 6, 7, 8, 9
# Where a sum of small parts begins with care, 1.5 2^9 g, over what is added to cut a value.
_OFFSET = 2.0**-43


@inline
def _column(block, o, i, j, part, other):  # type: ignore[no-untyped-def]
    return load(block, o, i, j) if part >= LANES else load_part(block, o, i, j, part, other)


@inline
def _sampled_columns(block, start, w, sums):  # type: ignore[no-untyped-def]
    """Means, and sums of the squares of differences from them, of a few values of each column: sums[:2, :w]."""
    outer, inner, _ = block.shape
    n = outer * inner
    some = min(n, _SAMPLE)
    share = splat(1.0 / np.float64(some))
    for j in range(0, w, LANES):
        first = _column(block, 0, 0, start + j, w - j, splat(0.0))
        s = q = splat(0.0)
        for k in range(1, some):
            i = k * (n - 1) // (some - 1)
            d = _column(block, i // inner, i % inner, start + j, w - j, first) - first
            s = s + d
            q = vector_fma(d, d, q)
        mean = s * share
        store(sums, 0, j, first + mean)
        store(sums, 1, j, q - s * mean)


@inline
def _sampled_rows(block, start, w, sums):  # type: ignore[no-untyped-def]
    """The same of w rows, at least eight."""
    segments, _, length = block.shape
    n = segments * length
    some = min(n, _SAMPLE)
    share = splat(1.0 / np.float64(some))
    for at in range(0, w, LANES):
        j = min(at, w - LANES)
        first = across(block, 0, start + j, 0)
        s = q = splat(0.0)
        for k in range(1, some):
            i = k * (n - 1) // (some - 1)
            d = across(block, i // length, start + j, i % length) - first
            s = s + d
            q = vector_fma(d, d, q)
        mean = s * share
        store(sums, 0, j, first + mean)
        store(sums, 1, j, q - s * mean)


@inline
def tile_grids(sums, w, n, farthest):  # type: ignore[no-untyped-def]
    """A shift and a grid for each of w rows of n values, from means and squares of a few: sums[0], sums[_CUT:]; how
    many rows no grid suits, whose grid is NaN."""
    factor = min(np.float64(n), np.float64(DEEPEST)) / np.float64(min(n, _SAMPLE))
    unsuited = 0
    means, squares, cuts, both, units = sums[0], sums[1], sums[_CUT], sums[_BOTH], sums[_UNIT]
    for j in range(w):
        q = squares[j] * factor
        # The least power of two with 16 q < 2^53 g^2.
        g = from_bits((((bits_of(q) >> 52) + np.int64(976)) >> 1) << 52)
        far = abs(means[j]) * (1.0 / farthest)
        g = max(g, from_bits(((bits_of(far) >> 52) + np.int64(1)) << 52))
        m = 1.5 * 2.0**52 * g
        c = (means[j] + m) - m
        fine = (q > 2.0**-900) & (q < 2.0**900) & (abs(c) <= farthest * g) & (g >= LEAST) & (g <= 2.0**480)
        means[j] = c
        cuts[j] = m if fine else np.nan
        both[j] = m + c
        units[j] = g * g if fine else np.nan
        unsuited += not fine
    return unsuited


@inline
def tile_growths(sums, others, w, n, merges, growth, of_mean):  # type: ignore[no-untyped-def]
    """G of each row, and that of s alone; the shifts join the other sums."""
    for j in range(w):
        others[0, j] = sums[0, j]
        area = np.float64(n) * sums[_UNIT, j]
        growth[j], of_mean[j] = grid_growth(area, others[3, j] + others[4, j], 2 * merges, STEPS)


@inline
def _begun(sums, j, careful):  # type: ignore[no-untyped-def]
    """Sums of nothing, of eight rows from the j-th on, to which `cut_step` adds."""
    zero = splat(0.0)
    return zero, fetch(sums, _CUT, j) * splat(_OFFSET) if careful else zero, zero, zero, zero


@inline
def _kept(sums, j, state):  # type: ignore[no-untyped-def]
    a, b, c, d = kept(sums, j, state)
    return a, b, fetch(sums, _REST, j), c, d


@inline
def _keep(sums, j, found):  # type: ignore[no-untyped-def]
    keep(sums, j, (found[0], found[1], found[3], found[4]))
    store(sums, _REST, j, found[2])


@inline
def _flush(sums, others, j, state, careful, exact, first):  # type: ignore[no-untyped-def]
    """Merge the sums of eight rows from the j-th on into `others`, as double-doubles; NaN where large parts may have
    rounded."""
    for i in range(j, j + LANES):
        offset = sums[_CUT, i] * _OFFSET if careful else 0.0
        high, low = two_sum(sums[1, i], sums[2, i] - offset)
        sums[1, i], sums[2, i] = high, low + sums[_REST, i]
        sums[3, i] = sums[3, i] if sums[3, i] < exact * sums[_UNIT, i] else np.nan
    some = kept(sums, j, state)
    keep(others, j, some if first else merged(kept(others, j, state), some))


@inline
def _visit(block, o, i, deep, start, w, careful, state, sums):  # type: ignore[no-untyped-def]
    """`deep` values more of each of w columns."""
    for j in range(0, w, LANES):
        grid, both = fetch(sums, _CUT, j), fetch(sums, _BOTH, j)
        found = _kept(sums, j, state)
        if w - j < LANES:
            shift = fetch(sums, 0, j)
            for r in range(deep):
                found = careful_step(load_part(block, o, i + r, start + j, w - j, shift), grid, both, found)
        elif not careful and deep == _DEEP:
            for r in range(_DEEP):
                found = cut_step(load(block, o, i + r, start + j), grid, both, found)
        elif deep == _DEEP:
            for r in range(_DEEP):
                found = careful_step(load(block, o, i + r, start + j), grid, both, found)
        else:
            for r in range(deep):
                found = careful_step(load(block, o, i + r, start + j), grid, both, found)
        _keep(sums, j, found)


@inline
def _lost(sums, w):  # type: ignore[no-untyped-def]
    """Whether many of w sums of squares are NaN."""
    count = 0
    for j in range(w):
        count += np.isnan(sums[3, j])
    return count * _MOST > w


@inline
def cut_columns(block, start, w, careful, state, sums, others, exact):  # type: ignore[no-untyped-def]
    """The sums of w columns about the shifts, and on the grids, of `tile_grids`: others[1:, :w]; how many merges they
    took. A sum of squares is NaN where the column is left undecided. 0 where that is so for many after the first."""
    outer, inner, _ = block.shape
    merges, done = 0, 0
    for j in range(0, w, LANES):
        _keep(sums, j, _begun(sums, j, careful))
    for o in range(outer):
        for i in range(0, inner, _DEEP):
            if done + _DEEP > DEEPEST:
                for j in range(0, w, LANES):
                    _flush(sums, others, j, state, careful, exact, merges == 0)
                    _keep(sums, j, _begun(sums, j, careful))
                if merges == 0 and _lost(others, w):
                    return 0
                merges, done = merges + 1, 0
            deep = min(_DEEP, inner - i)
            _visit(block, o, i, deep, start, w, careful, state, sums)
            done += deep
    for j in range(0, w, LANES):
        _flush(sums, others, j, state, careful, exact, merges == 0)
    return merges + 1


@inline
def _eight(x, some, careful, grid, both, found):  # type: ignore[no-untyped-def]
    if some < LANES or careful:
        found = careful_step(x[0], grid, both, found)
        if some > 1:
            found = careful_step(x[1], grid, both, found)
        if some > 2:
            found = careful_step(x[2], grid, both, found)
        if some > 3:
            found = careful_step(x[3], grid, both, found)
        if some > 4:
            found = careful_step(x[4], grid, both, found)
        if some > 5:
            found = careful_step(x[5], grid, both, found)
        if some > 6:
            found = careful_step(x[6], grid, both, found)
        if some > 7:
            found = careful_step(x[7], grid, both, found)
        return found
    found = cut_step(x[1], grid, both, cut_step(x[0], grid, both, found))
    found = cut_step(x[3], grid, both, cut_step(x[2], grid, both, found))
    found = cut_step(x[5], grid, both, cut_step(x[4], grid, both, found))
    return cut_step(x[7], grid, both, cut_step(x[6], grid, both, found))


@inline
def cut_rows(block, start, w, ahead, careful, state, sums, others, exact):  # type: ignore[no-untyped-def]
    """The same of w rows, at least eight: eight at a time, each in a lane."""
    segments, _, length = block.shape
    merges = 0
    for at in range(0, w, LANES):
        j = min(at, w - LANES)
        r = start + j
        grid, both = fetch(sums, _CUT, j), fetch(sums, _BOTH, j)
        found = _begun(sums, j, careful)
        merges, done = 0, 0
        for s in range(segments):
            for i in range(0, length, LANES):
                if done + LANES > DEEPEST:
                    _keep(sums, j, found)
                    _flush(sums, others, j, state, careful, exact, merges == 0)
                    found = _begun(sums, j, careful)
                    merges, done = merges + 1, 0
                some = min(LANES, length - i)
                for lane in range(LANES):
                    prefetch(block, s, r + ahead + lane, i)
                found = _eight(load_columns(block, s, r, i, some), some, careful, grid, both, found)
                done += some
        _keep(sums, j, found)
        _flush(sums, others, j, state, careful, exact, merges == 0)
    return merges + 1


def gridded_columns(view, above, below, wants, code, out):  # type: ignore[no-untyped-def]
    """What `sweeps.columns` does, for float64 values; it leaves more columns undecided."""
    blocks, outer, inner, rows = view.shape
    n = outer * inner
    state = empty(view)
    sums, others = np.empty((_ALL, _COLUMNS + LANES)), np.empty((5, _COLUMNS + LANES))
    growth, of_mean = np.empty(_COLUMNS), np.empty(_COLUMNS)
    each = divisors(n, above, below)
    k, m = column_depths(n)
    careful = wants & 1 == 1
    left, notes = 0, 0
    if not is_default():
        return IRREGULAR, 0
    for b in range(blocks):
        block = view[b]
        for start in range(0, rows, _COLUMNS):
            w = min(_COLUMNS, rows - start)
            at = b * rows + start
            _sampled_columns(block, start, w, sums)
            failed, more = tile_grids(sums, w, n, FARTHEST), 0
            if failed * _MOST <= w:
                merges = cut_columns(block, start, w, careful, state, sums, others, EXACT)
                failed = w
                if merges:
                    tile_growths(sums, others, w, n, merges, growth, of_mean)
                    failed, more = decide_wide(others, w, each, growth, of_mean, wants, code, out, at)
            if failed * _MOST > w:
                column_sums(block, start, w, state, sums, others)
                failed, more = decide(state, sums, w, each, k, m, wants, code, out, at)
            notes |= more
            left += failed
    return left, notes


def gridded_short(view, above, below, wants, code, out):  # type: ignore[no-untyped-def]
    """What `sweeps.short_rows` does, for float64 values; it leaves more rows undecided."""
    blocks, segments, rows, length = view.shape
    n = segments * length
    state = empty(view)
    sums, others = np.empty((_ALL, TILE)), np.empty((5, TILE))
    growth, of_mean, which = np.empty(TILE), np.empty(TILE), np.empty(TILE, np.int64)
    each = divisors(n, above, below)
    ahead = rows_ahead(view)
    careful = wants & 1 == 1
    left, notes = 0, 0
    if not is_default():
        return IRREGULAR, 0
    for b in range(blocks):
        block = view[b]
        begin = 0
        while begin < rows:
            start = max(min(begin, rows - LANES), 0)
            w = min(TILE, rows - start)
            at = b * rows + start
            _sampled_rows(block, start, w, sums)
            failed, more = tile_grids(sums, w, n, FARTHEST), 0
            if failed * _MOST <= w:
                merges = cut_rows(block, start, w, ahead, careful, state, sums, others, EXACT)
                tile_growths(sums, others, w, n, merges, growth, of_mean)
                failed, more = decide_wide(others, w, each, growth, of_mean, wants, code, out, at)
            if failed * _MOST > w:
                short_sums(block, start, w, n, ahead, sums)
                failed, more = decide(state, sums, w, each, n, 0, wants, code, out, at)
            notes |= more
            if failed:  # the last tile has rows of the one before
                left += undecided(out, at + begin - start, start + w - begin, which)
            begin = start + w
    return left, notes
