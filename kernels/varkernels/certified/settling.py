"""Rows that the rounding test leaves undecided though their sums are exact, of which integer-valued data are full.

Where s and q, the sums about a shift, have not rounded at all, N = n q - s^2, if it has not rounded either, and D =
n (n - correction) are exact, the variance is N / D, and fma(-mid, D, N) has the exact sign of its distance from a
midpoint.

Sums of values of at most 24 bits have not rounded where all values and the shift are multiples of a g with q <= 2^52
g^2: each difference is then less than 2^27 g and exact, each square and each partial sum of squares is a multiple of
g^2 below 2^53 g^2, and each partial sum of differences one of g below 2^53 g. Whether x is a multiple of g shows in
(x + M) - M = x, M = 1.5 2^52 g: for x >= -2^51 g the sum is a multiple of g, and any smaller x of at most 24 bits is
one.

Of float64 values, only rows of zeros: in their sums about 0 they look like rows of numbers whose squares underflow.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.extending import overload

from ..inlining import inline
from ..simd import LANES, load, splat, total
from ..smallfloat import bits_of, decode, fma_float, from_bits
from .deciding import SINGLE, numbers_of, rounded_both, row_of
from .terms import STD, VARIANCE
from .vectors import load_part, magnitude

__all__ = ["settled_column", "settled_row", "settled_sums"]


@inline
def _quotient(top, below, numbers):  # type: ignore[no-untyped-def]
    """top / below, both exact, in a format; and whether that is certain."""
    drop, largest, tiny, _ = numbers
    v = top / below
    if drop == 0:
        return v, abs(v) < np.inf and abs(v) >= tiny
    low, high = rounded_both(v - abs(v) * 2.0**-51, v + abs(v) * 2.0**-51, drop == SINGLE, numbers)
    if low == high:
        return low, abs(low) <= largest
    if not (abs(low) <= largest and abs(high) <= largest and abs(v) >= 2.0 * tiny):
        return v, False
    middle = 0.5 * (low + high)
    side = fma_float(-middle, below, top)
    if side == 0.0:
        even, _ = rounded_both(middle, middle, drop == SINGLE, numbers)
        return even, True
    return (high if side > 0.0 else low), True


@inline
def _root(top, below, numbers):  # type: ignore[no-untyped-def]
    """The root of top / below, both exact, in a format of at most 24 bits; and whether that is certain."""
    drop, largest, tiny, _ = numbers
    root = math.sqrt(top / below)
    if drop == 0:
        return root, False
    low, high = rounded_both(root * (1.0 - 2.0**-51), root * (1.0 + 2.0**-51), drop == SINGLE, numbers)
    if low == high:
        return low, low <= largest
    if not (high <= largest and root >= 2.0 * tiny):
        return root, False
    middle = 0.5 * (low + high)  # of at most 25 bits, so that its square is exact
    side = fma_float(-(middle * middle), below, top)
    if side == 0.0:
        even, _ = rounded_both(middle, middle, drop == SINGLE, numbers)
        return even, True
    return (high if side > 0.0 else low), True


@inline
def settled_sums(s, q, q_exact, n, x0, divisor, wants, code, out, r):  # type: ignore[no-untyped-def]
    """Answers out[:, r] where s, and q if `q_exact`, the sums about x0, are exact; whether all that are wanted are
    certain. divisor: n - correction."""
    count, numbers = np.float64(n), numbers_of(code)
    if wants & 1:
        shifts = count * x0
        top = shifts + s
        bb = top - shifts
        error = abs((shifts - (top - bb)) + (s - bb)) + abs(fma_float(count, x0, -shifts))
        found, fine = _quotient(top, count, numbers)
        if top == 0.0:
            found = 0.0
        elif not fine or found == 0.0:
            return False
        if error != 0.0:  # what is left undecided must stay NaN
            return False
        out[0, r] = found
    if wants & 6:
        below = count * divisor
        many, square = count * q, s * s
        top = many - square
        bb = top - many
        error = abs((many - (top - bb)) - (square + bb))
        error += abs(fma_float(count, q, -many)) + abs(fma_float(s, s, -square))
        error += abs(fma_float(count, divisor, -below))
        if not (q_exact and error == 0.0 and top > 2.0**-900 and top < 2.0**900):
            return False
        if wants & 2:
            found, fine = _quotient(top, below, numbers)
            if not fine:
                return False
            out[row_of(VARIANCE, wants), r] = found
        if wants & 4:
            found, fine = _root(top, below, numbers)
            if not fine:
                return False
            out[row_of(STD, wants), r] = found
    return True


@inline
def _grid(q, c):  # type: ignore[no-untyped-def]
    """M for the smallest g with q <= 2^52 g^2; NaN where there is none, or the shift c is no multiple of it."""
    if not (q > 2.0**-900 and q < 2.0**900 and np.float64(np.float32(c)) == c):
        return np.nan
    e = (bits_of(q) >> 52) - 1023  # q < 2^(e + 1)
    half = (e - 50) >> 1  # rounded up: 2 half >= e + 1 - 52
    m = 1.5 * from_bits((half + 52 + 1023) << 52)
    return m if (c + m) - m == c else np.nan


@inline
def _row_settled(view, r, sums, j, n, above, wants, code, out, at):  # type: ignore[no-untyped-def]
    segments, _, length = view.shape
    c, s, q = sums[0, j], sums[1, j], sums[2, j]
    m = _grid(q, c)
    if np.isnan(m):
        return False
    shift, off, zero = splat(m), splat(0.0), splat(0.0)
    for k in range(segments):
        i = 0
        while i + LANES <= length:
            x = load(view, k, r, i)
            off = off + magnitude(((x + shift) - shift) - x)
            i += LANES
        if i < length:
            x = load_part(view, k, r, i, length - i, zero)
            off = off + magnitude(((x + shift) - shift) - x)
    return total(off) == 0.0 and settled_sums(s, q, True, n, c, above, wants, code, out, at)


@inline
def _column_settled(view, r, sums, j, n, above, wants, code, out, at):  # type: ignore[no-untyped-def]
    outer, inner, _ = view.shape
    c, s, q = sums[0, j], sums[1, j], sums[2, j]
    m = _grid(q, c)
    if np.isnan(m):
        return False
    for o in range(outer):
        for i in range(inner):
            x = np.float64(decode(view[o, i, r]))
            if (x + m) - m != x:
                return False
    return settled_sums(s, q, True, n, c, above, wants, code, out, at)


@inline
def _answered_zero(out, at):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        out[i, at] = 0.0
    return True


@inline
def _row_of_zeros(view, r, sums, j, out, at):  # type: ignore[no-untyped-def]
    if sums[0, j] != 0.0 or sums[3, j] != 0.0:
        return False
    segments, _, length = view.shape
    off, zero = splat(0.0), splat(0.0)
    for k in range(segments):
        i = 0
        while i + LANES <= length:
            off = off + magnitude(load(view, k, r, i))
            i += LANES
        if i < length:
            off = off + magnitude(load_part(view, k, r, i, length - i, zero))
    return total(off) == 0.0 and _answered_zero(out, at)


@inline
def _column_of_zeros(view, r, sums, j, out, at):  # type: ignore[no-untyped-def]
    if sums[0, j] != 0.0 or sums[3, j] != 0.0:
        return False
    outer, inner, _ = view.shape
    for o in range(outer):
        for i in range(inner):
            if view[o, i, r] != 0.0:
                return False
    return _answered_zero(out, at)


def settled_row(*of: Any) -> bool:
    """Answers for a row of a view (segments, rows, length): within kernels only."""
    raise RuntimeError("settled_row() runs within compiled kernels only")


def settled_column(*of: Any) -> bool:
    """Answers for a column of a view (outer, inner, rows): within kernels only."""
    raise RuntimeError("settled_column() runs within compiled kernels only")


@overload(settled_row)
def _row(state, view, r, sums, j, n, above, below, wants, code, out, at):  # type: ignore[no-untyped-def]
    """Answers out[:, at] for the row r of a view (segments, rows, length) whose sums stand in sums[:, j], and whether
    they are certain. n: its values; above, below: `n` less the correction, a double-double."""
    if len(state) == 2:
        return lambda state, view, r, sums, j, n, above, below, wants, code, out, at: (
            below == 0.0 and _row_settled(view, r, sums, j, n, above, wants, code, out, at)
        )
    return lambda state, view, r, sums, j, n, above, below, wants, code, out, at: _row_of_zeros(
        view, r, sums, j, out, at
    )


@overload(settled_column)
def _column(state, view, r, sums, j, n, above, below, wants, code, out, at):  # type: ignore[no-untyped-def]
    """The same for a view (outer, inner, rows)."""
    if len(state) == 2:
        return lambda state, view, r, sums, j, n, above, below, wants, code, out, at: (
            below == 0.0 and _column_settled(view, r, sums, j, n, above, wants, code, out, at)
        )
    return lambda state, view, r, sums, j, n, above, below, wants, code, out, at: _column_of_zeros(
        view, r, sums, j, out, at
    )
