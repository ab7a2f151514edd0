"""Long float64 rows at the speed of memory: each value is cut on a grid, and the sums of the large parts are exact.

With a shift c, a power of two g and M = 1.5 2^52 g, for each value x

    w = fl(x + M),    h = fl(w - (M + c)),    l = fl(x - fl(w - M)).

**The cut is exact.** c is a multiple of g and |c| <= 2^50 g, so that M + c is exact. For |x| <= 2^51 g, x + M lies
where float64 numbers are g apart, so that w - M is x rounded to a multiple of g, and exact. Either it is 0 and l = x,
or |x| >= g/2 and x - (w - M) is a multiple of x's last bit and not larger than x; in both cases l is exact and |l| <=
g/2. h is a difference of multiples of g between 2^52 g and 2^53 g, so it is exact, too, and d = x - c = h + l. Any
other x has |h| >= 2^50 g, since rounding is monotonic, or h is NaN.

**The sums of the large parts are exact.** fma sums H = sum h^2 over a block of N values. Such sums never decrease, and
multiples of g^2 below 2^53 g^2 are float64 numbers: where the computed H is below 2^53 g^2, no partial sum has rounded.
Since |h| <= h^2 / g, no partial sum of h has rounded, either. This is checked after each block. A block that fails is
summed again with the g for which 2^49 g^2 < H <= 2^51 g^2; where it fails again, or c is no multiple of that g, the row
is left undecided.

**The sums of the small parts round.** (h + l)^2 - h^2 = l (2 h + l) = l (2 d - l), and the float64 2 h + l rounds once.
With at most k roundings on a term's way, their errors are at most

    g(k) sum |l| <= g(k) N g / 2,
    g(k) sum |l| |2 d - l| <= g(k) (g sum |d| + N g^2 / 4) <= g(k) (g sqrt(N sum d^2) + N g^2 / 4).

Over all blocks, with A = sum N g^2 and r = sqrt(A / q), by Cauchy and Schwarz,

    |s^ - s| <= g(k) r / 2 sqrt(n q),    |q^ - q| <= g(k) (r + r^2 / 4) q,

and the latter is never more than 3 g(k) q, since |l| <= |d|. The pairs (sum h, sum l) and (H, sum l (2 h + l)) are made
double-doubles and merged as `states` does. So the bounds of `deciding` hold with G = 64 u^2 + 4 m u^2 + g(k) r (1 +
2^-8), for r < 2^-6. g >= 2^-480, so that no h^2 underflows; what else does is less than the n 2^-1020 of `deciding`.

In blocks of 4096 values r is about 2^-19 and G 2^-64, which decides all but one variance in a few hundred.

**A mean close to 0 needs more.** With care, sum l begins at 1.5 2^9 g, where float64 numbers are 2^-43 g apart, and
stays between 2^9 g and 2^10 g, since at most 512 values are added. It is exact but for the errors e of its additions,
|e| <= 2^-44 g, each of which is a float64 number (Dekker 1971, doi:10.1007/BF01397083). Their sum rounds as above, and
the pair (sum h, sum l) rounds when that sum joins it, for which a second merge a block is taken. So G of s alone is
64 u^2 + 4 m u^2 + 2^-44 g(k) r (1 + 2^-8).
"""

from __future__ import annotations

import math

import numpy as np

from ..arithmetic_test import is_default
from ..formulas.errorfree import two_sum
from ..inlining import inline
from ..simd import LANES, load, prefetch, splat, total, vector_fma
from ..smallfloat import bits_of, from_bits
from .deciding import decide_wide, divisors, wide_growth
from .settling import settled_row
from .states import empty, merged, put
from .sweeps import IRREGULAR
from .terms import BLOCK
from .vectors import load_part

__all__ = [
    "EXACT",
    "FARTHEST",
    "LEAST",
    "careful_step",
    "cut_step",
    "cut_sums",
    "grid_growth",
    "gridded_decided",
    "gridded_rows",
    "gridded_sums",
]

# Values of a row that are looked at first, across all of it.
_SAMPLE = 16

# The constants of the proof: H below EXACT g^2, |c| up to FARTHEST g, and k. Tests change them until a built case errs.
EXACT, FARTHEST, STEPS = 2.0**53, 2.0**50, BLOCK // (2 * LANES) + 4.0
# Where H is below that many g^2, the next block takes a finer grid.
COARSE = 2.0**43
# The smallest g.
LEAST = 2.0**-480


@inline
def _power(e):  # type: ignore[no-untyped-def]
    return from_bits((np.int64(e) + 1023) << 52)


@inline
def _exponent(x):  # type: ignore[no-untyped-def]
    """e with 2^e <= x < 2^(e + 1), for a positive normal number."""
    return (bits_of(x) >> 52) - 1023


@inline
def _grid(squares):  # type: ignore[no-untyped-def]
    """The least power of two with 4 squares < 2^53 g^2, at least LEAST; NaN where there is none."""
    if not squares < 2.0**900:
        return math.nan
    return _power((_exponent(squares) - 49) >> 1) if squares > 2.0**-900 else LEAST


@inline
def _sample(view, r):  # type: ignore[no-untyped-def]
    """A shift near a row's values, a multiple of a power of two below their spread, and a grid for it."""
    segments, _, length = view.shape
    squares, mean = 0.0, 0.0
    for k in range(1, _SAMPLE + 1):  # Welford
        x = view[(k - 1) * segments // _SAMPLE, r, (k - 1) * (length - 1) // (_SAMPLE - 1)]
        d = x - mean
        mean += d / k
        squares += d * (x - mean)
    if mean * mean * _SAMPLE < squares:
        mean = 0.0
    elif 2.0**-900 < squares < 2.0**900:
        unit = 1.5 * 2.0**52 * _power((_exponent(squares) >> 1) - 10)
        mean = (mean + unit) - unit
    return mean, _grid(squares * (BLOCK // _SAMPLE))


@inline
def _cut(x, grid, both):  # type: ignore[no-untyped-def]
    w = x + grid
    return w - both, x - (w - grid)


@inline
def cut_step(x, grid, both, state):  # type: ignore[no-untyped-def]
    s_large, s_small, rest, q_large, q_small = state
    h, low = _cut(x, grid, both)
    return s_large + h, s_small + low, rest, vector_fma(h, h, q_large), vector_fma(low, (h + h) + low, q_small)


@inline
def careful_step(x, grid, both, state):  # type: ignore[no-untyped-def]
    s_large, s_small, rest, q_large, q_small = state
    h, low = _cut(x, grid, both)
    t = s_small + low
    rest = rest + (low - (t - s_small))
    return s_large + h, t, rest, vector_fma(h, h, q_large), vector_fma(low, (h + h) + low, q_small)


@inline
def _block(view, s, r, i, count, c, g, careful):  # type: ignore[no-untyped-def]
    """The sums of `count` values, at most BLOCK; with at most BLOCK / (2 LANES) + 2 roundings of a small term."""
    m = 1.5 * 2.0**52 * g
    shift, grid, both, zero = splat(c), splat(m), splat(m + c), splat(0.0)
    half = BLOCK // 2
    offset = splat(1.5 * 2.0**9 * g) if careful or count < BLOCK else zero
    a = b = (zero, offset, zero, zero, zero)
    if count < BLOCK:
        end = i + count
        while i + 2 * LANES <= end:
            a = careful_step(load(view, s, r, i), grid, both, a)
            b = careful_step(load(view, s, r, i + LANES), grid, both, b)
            i += 2 * LANES
        if i + LANES <= end:
            a = careful_step(load(view, s, r, i), grid, both, a)
            i += LANES
        if i < end:
            b = careful_step(load_part(view, s, r, i, end - i, shift), grid, both, b)
    elif careful:
        for j in range(i, i + half, LANES):
            prefetch(view, s, r, j + BLOCK)
            prefetch(view, s, r, j + BLOCK + half)
            a = careful_step(load(view, s, r, j), grid, both, a)
            b = careful_step(load(view, s, r, j + half), grid, both, b)
    else:
        for j in range(i, i + half, LANES):
            prefetch(view, s, r, j + BLOCK)
            prefetch(view, s, r, j + BLOCK + half)
            a = cut_step(load(view, s, r, j), grid, both, a)
            b = cut_step(load(view, s, r, j + half), grid, both, b)
    high, low = two_sum(a[0] + b[0], (a[1] - offset) + (b[1] - offset))
    return high, low + (a[2] + b[2]), a[3] + b[3], a[4] + b[4]


@inline
def _suits(g, c, farthest):  # type: ignore[no-untyped-def]
    """Whether c is a multiple of g, and not too large for it."""
    m = 1.5 * 2.0**52 * g
    return abs(c) <= farthest * g and (c + m) - m == c


@inline
def cut_sums(view, r, c, g, careful, sums):  # type: ignore[no-untyped-def]
    """The sums of one row about c, as sums[1:, 0]; A, NaN where the row is left undecided; how many merges they took.
    g: the first block's grid."""
    segments, _, length = view.shape
    found = empty(view)
    area, merges = 0.0, 8
    if not _suits(g, c, FARTHEST):
        return math.nan, merges
    for s in range(segments):
        i, again = 0, False
        while i < length:
            count = min(BLOCK, length - i)
            some = _block(view, s, r, i, count, c, g, careful)
            squares = total(some[2])
            exact = squares < EXACT * (g * g)
            if exact:
                found = merged(found, some)
                area += np.float64(count) * (g * g)
                merges += 2
                i += count
                if squares >= COARSE * (g * g):
                    again = False
                    continue
                squares = total(some[2] + some[3])
            elif again:
                return math.nan, merges
            again = not exact
            other = _grid(squares)
            if _suits(other, c, FARTHEST):
                g = other
            elif not exact:
                return math.nan, merges
    put(sums, 0, found)
    return area, merges


@inline
def grid_growth(area, q, merges, steps):  # type: ignore[no-untyped-def]
    """G, and G of s alone where it was summed with care; NaN where the bounds do not hold. steps: k."""
    ratio = math.sqrt(area / q) * (1.0 + 2.0**-20)
    steps = steps * 2.0**-53
    share = steps / (1.0 - steps) * (1.0 + 2.0**-8) * (ratio if ratio < 2.0**-6 else math.nan)
    least = wide_growth(0.0, np.float64(merges))
    return least + share, least + 2.0**-44 * share


@inline
def _decided(sums, area, merges, each, wants, code, out, at):  # type: ignore[no-untyped-def]
    growth, growth_of_mean = grid_growth(area, sums[3, 0] + sums[4, 0], merges, STEPS)
    if growth < np.inf:
        return decide_wide(sums, 1, each, growth, growth_of_mean, wants, code, out, at)
    out[:, at] = math.nan
    return 1, 0


def gridded_rows(view, above, below, wants, code, out):  # type: ignore[no-untyped-def]
    """What `sweeps.long_rows` does, for float64 rows whose segments have many values; it leaves more rows undecided."""
    blocks, segments, rows, length = view.shape
    n = segments * length
    state = empty(view)
    sums = np.empty((5, 1))
    each = divisors(n, above, below)
    left, notes = 0, 0
    if not is_default():
        return IRREGULAR, 0
    for b in range(blocks):
        for r in range(rows):
            at = b * rows + r
            c, g = _sample(view[b], r)
            sums[0, 0] = c
            area, merges = cut_sums(view[b], r, c, g, wants & 1 == 1, sums)
            failed, more = _decided(sums, area, merges, each, wants, code, out, at)
            notes |= more
            if failed and area > 0.0:
                left += not settled_row(state, view[b], r, sums, 0, n, above, below, wants, code, out, at)
            else:
                left += failed > 0
    return left, notes


def gridded_sums(view, given, c, g, careful, out):  # type: ignore[no-untyped-def]
    """Part of the only row of a view (1, segments, 1, length): its sums about c as out[:5, 0], then A and the number of
    merges. Where c and g are not given, only they, for all of the row, as out[:2, 0]."""
    if given:
        out[0, 0] = c
        out[5, 0], out[6, 0] = cut_sums(view[0], 0, c, g, careful, out)
    else:
        out[0, 0], out[1, 0] = _sample(view[0], 0)


def gridded_decided(view, sums, n, above, below, wants, code, out):  # type: ignore[no-untyped-def]
    """`sweeps.decided` for sums with A and the number of merges, of `gridded_sums`."""
    if not is_default():
        return IRREGULAR, 0
    return _decided(sums, sums[5, 0], sums[6, 0], divisors(n, above, below), wants, code, out, 0)
