"""One row after the other, copied to a buffer of float64: what the first pass leaves undecided, values under a mask,
strides that no other kernel takes.

A row is answered by the first of these that can: NaN and infinities; constants; sums as double-doubles and the rounding
test; and, for the exact midpoints that integer-valued data are full of, exactness without integers. For that the errors
of every operation are added up: where their sum is 0, s and q have not rounded at all. Then N = n q - s^2, if it has
not rounded either, and D = n (n - c) are exact, the variance is N / D, and fma(-mid, D, N) has the exact sign of its
distance from a midpoint. What is left then goes to the exact sums.
"""

from __future__ import annotations

import math

import numpy as np

from ..formulas.errorfree import two_sum
from ..jit import inline
from ..simd import LANES, load, splat, total, vector_fma
from ..smallfloat import decode, fma_float
from .deciding import MEAN, OVERFLOW, STD, VARIANCE, decide, to_format
from .states import empty, put
from .sweeps import SMALLEST, _row, _shift, depths
from .vectors import first_lane, load_part, magnitude, rotate1, rotate2, rotate4

__all__ = ["DEGREES", "EMPTY", "INVALID", "LONGEST", "NAN", "OPPOSITE", "gathered_rows"]

# Values of a row that the buffer holds: 512 KiB.
LONGEST = 1 << 16
# More notes, beside OVERFLOW.
DEGREES, EMPTY, OPPOSITE, INVALID, NAN = 2, 4, 8, 16, 32


@inline
def _across(h, errors):  # type: ignore[no-untyped-def]
    t, e = two_sum(h, rotate4(h))
    errors = errors + magnitude(e)
    t, e = two_sum(t, rotate2(t))
    errors = errors + magnitude(e)
    t, e = two_sum(t, rotate1(t))
    return first_lane(t), errors + magnitude(e)


@inline
def _exact_sums(buffer, n, x0):  # type: ignore[no-untyped-def]
    """s and q about x0, and whether no operation of each has rounded."""
    zero, c = splat(0.0), splat(x0)
    s, q, s_errors, q_errors = zero, zero, zero, zero
    for i in range(0, n, LANES):
        x = load(buffer, 0, 0, i) if i + LANES <= n else load_part(buffer, 0, 0, i, n - i, c)
        d = x - c
        bb = d - x
        s_errors = s_errors + magnitude((x - (d - bb)) - (c + bb))
        p = d * d
        q_errors = q_errors + magnitude(vector_fma(d, d, zero - p))
        s, e = two_sum(s, d)
        s_errors = s_errors + magnitude(e)
        q, e = two_sum(q, p)
        q_errors = q_errors + magnitude(e)
    first, s_errors = _across(s, s_errors)
    second, q_errors = _across(q, q_errors)
    straight = total(s_errors) == 0.0
    # A product below 2^-1000 might have lost bits without an error to show for it.
    return first, second, straight, straight and total(q_errors) == 0.0 and second > 2.0**-900


@inline
def _quotient(top, below, numbers):  # type: ignore[no-untyped-def]
    """top / below, both exact, in a format; and whether that is certain."""
    drop, largest, tiny, magic = numbers
    v = top / below
    if drop == 0:
        return v, abs(v) < np.inf and abs(v) >= tiny
    low = to_format(v - abs(v) * 2.0**-51, drop, largest, tiny, magic)
    high = to_format(v + abs(v) * 2.0**-51, drop, largest, tiny, magic)
    if low == high:
        return low, abs(low) <= largest
    if not (abs(low) <= largest and abs(high) <= largest and abs(v) >= 2.0 * tiny):
        return v, False
    middle = 0.5 * (low + high)
    side = fma_float(-middle, below, top)
    return (to_format(middle, drop, largest, tiny, magic) if side == 0.0 else high if side > 0.0 else low), True


@inline
def _root(top, below, numbers):  # type: ignore[no-untyped-def]
    """The root of top / below, both exact, in a format of at most 24 bits; and whether that is certain."""
    drop, largest, tiny, magic = numbers
    root = math.sqrt(top / below)
    if drop == 0:
        return root, False
    low = to_format(root * (1.0 - 2.0**-51), drop, largest, tiny, magic)
    high = to_format(root * (1.0 + 2.0**-51), drop, largest, tiny, magic)
    if low == high:
        return low, low <= largest
    if not (high <= largest and root >= 2.0 * tiny):
        return root, False
    middle = 0.5 * (low + high)  # of at most 25 bits, so that its square is exact
    side = fma_float(-(middle * middle), below, top)
    return (to_format(middle, drop, largest, tiny, magic) if side == 0.0 else high if side > 0.0 else low), True


@inline
def _settled(buffer, n, x0, divisor, wants, numbers, out, r):  # type: ignore[no-untyped-def]
    """Answers where sums about x0 are exact; whether all that are wanted are certain. divisor: n - correction."""
    count = np.float64(n)
    s, q, s_exact, q_exact = _exact_sums(buffer, n, x0)
    if wants & 1:
        shifts = count * x0
        top = shifts + s
        bb = top - shifts
        error = abs((shifts - (top - bb)) + (s - bb)) + abs(fma_float(count, x0, -shifts))
        out[MEAN, r], fine = _quotient(top, count, numbers)
        if top == 0.0:
            out[MEAN, r] = 0.0
        elif not fine or out[MEAN, r] == 0.0:
            return False
        if not (s_exact and error == 0.0):
            return False
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
            out[VARIANCE, r], fine = _quotient(top, below, numbers)
            if not fine:
                return False
        if wants & 4:
            out[STD, r], fine = _root(top, below, numbers)
            if not fine:
                return False
    return True


@inline
def _all_equal(view, b, row, adjacent):  # type: ignore[no-untyped-def]
    """Whether all values of a row are equal, and finite."""
    _, segments, _, length = view.shape
    first = np.float64(decode(view[b, 0, row, 0]))
    if not abs(first) < np.inf:
        return False
    values, shift, unequal = view[b], splat(first), splat(0.0)
    for s in range(segments):
        i = 0
        if adjacent:
            while i + LANES <= length:
                unequal = unequal + magnitude(load(values, s, row, i) - shift)
                i += LANES
            if total(unequal) != 0.0:
                return False
        while i < length:
            if np.float64(decode(view[b, s, row, i])) != first:
                return False
            i += 1
    return True


def gathered_rows(view, mask, masked, omit, which, correction, rest, wants, numbers, out, counts, bad):  # type: ignore[no-untyped-def]
    """Answers for the rows `which` of a view (blocks, segments, rows, length) of any strides.

    mask : bool, of the view's shape: the values that count, where `masked`. omit : NaN values do not count, either.
    correction, rest : the correction as a double-double. wants, numbers, out, bad : as for `sweeps.long_rows`.
    counts : int64, of each row: how many values count. Answers how many rows are undecided, and the notes.
    """
    _, segments, rows, length = view.shape
    buffer = np.empty((1, 1, segments * length + LANES))
    state = empty(buffer)
    adjacent = view.strides[3] == view.itemsize
    sums, ok = np.empty((5, LANES)), np.empty(1, np.bool_)
    left, notes = 0, 0
    for r in which:
        b, row = r // rows, r % rows
        n, nan, plus, minus = 0, 0, 0, 0
        same = not masked and _all_equal(view, b, row, adjacent)
        most = 0.0
        for s in range(segments):
            if same:
                buffer[0, 0, 0] = np.float64(decode(view[b, 0, row, 0]))
                n = segments * length
                break
            for i in range(length):
                if masked and not mask[b, s, row, i]:
                    continue
                x = np.float64(decode(view[b, s, row, i]))
                if not abs(x) < np.inf:
                    if np.isnan(x):
                        if omit:
                            continue
                        nan += 1
                        notes |= NAN
                        if not masked:  # nothing else matters
                            n = segments * length
                            break
                    elif x > 0.0:
                        plus += 1
                    else:
                        minus += 1
                buffer[0, 0, n] = x
                n += 1
                most = max(most, abs(x))
            if nan and not masked and not omit:
                break
        if (masked or omit) and n:
            same = True
            for i in range(n):
                same &= buffer[0, 0, i] == buffer[0, 0, 0]
        counts[r] = n
        ok[0] = True
        above, below = two_sum(np.float64(n), -correction)
        below -= rest
        certain = abs(above) > 2.0**-10 * abs(correction) or (below == 0.0 and rest == 0.0)
        out[MEAN, r], out[VARIANCE, r], out[STD, r] = math.nan, math.nan, math.nan
        if wants & 1 and n == 0:
            notes |= EMPTY
        if wants & 6 and (n == 0 or above <= 0.0):
            if not certain:
                bad[left] = r
                left += 1
                continue
            notes |= DEGREES
        spread = wants & 6 if n > 0 and above > 0.0 else 0
        if n == 0:
            continue
        if nan + plus + minus:
            both = plus > 0 and minus > 0
            if nan == 0:
                if wants & 1:
                    out[MEAN, r] = math.nan if both else np.inf if plus > 0 else -np.inf
                    notes |= OPPOSITE if both else 0
                if spread:
                    notes |= OPPOSITE if both else INVALID
            continue
        x0 = buffer[0, 0, 0]
        if same:
            if spread:
                out[VARIANCE, r], out[STD, r] = 0.0, 0.0
            if wants & 1:
                drop, largest, tiny, magic = numbers
                near = x0 if drop == 0 else to_format(x0, drop, largest, tiny, magic)
                out[MEAN, r] = math.copysign(near, x0) if x0 != 0.0 else 0.0
                notes |= OVERFLOW if abs(out[MEAN, r]) > largest else 0
            continue
        asked = (wants & 1) | spread
        if not asked:
            continue
        # LONGEST values or fewer below it have a variance that rounds to 0.
        if asked == 2 and most < SMALLEST and above > 2.0**-10:
            out[VARIANCE, r] = 0.0
            continue
        values = buffer[:, :, :n]
        c = _shift(values, 0)
        sums[0, 0] = c
        put(sums, 0, _row(values, 0, c))
        k, m = depths(1, n)
        found = decide(state, sums, 1, n, k, m, above, below, asked, numbers, out, r, ok)
        if ok[0] and certain:
            notes |= found
        elif not (certain and below == 0.0 and _settled(values, n, x0, above, asked, numbers, out, r)):
            bad[left] = r
            left += 1
    return left, notes
