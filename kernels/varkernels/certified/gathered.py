"""One row after the other, copied to a buffer of float64: what the first pass leaves undecided, values under a mask,
strides that no other kernel takes.

A row is answered by the first of these that can: NaN and infinities; constants; sums as double-doubles and the rounding
test; and, for exact midpoints, `settling`: the errors of every operation are added up, and where their sum is 0, the
sums have not rounded at all. What is left then goes to the exact sums.

Rows that no other kernel has tried are decided together first, by sums in the format of their values.
"""

from __future__ import annotations

import math

import numpy as np

from ..arithmetic_test import is_default
from ..formulas.errorfree import two_sum
from ..inlining import inline
from ..simd import LANES, load, splat, total, vector_fma
from ..smallfloat import decode
from .deciding import decide, divisors, numbers_of, row_of, to_format, undecided
from .settling import settled_row, settled_sums
from .states import empty, keep, put
from .sweeps import IRREGULAR, SMALLEST, _row, _shift, eight_rows
from .terms import DEGREES, EMPTY, INVALID, NAN, OPPOSITE, OVERFLOW, SHORT, STD, VARIANCE, depths
from .vectors import across, first_lane, load_part, magnitude, or_nan, rotate1, rotate2, rotate4, store

__all__ = ["gathered_rows"]

# Rows that are decided together.
_TOGETHER = 64


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
def _magnitudes(view, b, row, adjacent):  # type: ignore[no-untyped-def]
    """The sum of |x| of a row: NaN where there is a NaN, and only there."""
    _, segments, _, length = view.shape
    values, vector, found = view[b], splat(0.0), 0.0
    for s in range(segments):
        i = 0
        while adjacent and i + LANES <= length:
            vector = vector + magnitude(load(values, s, row, i))
            i += LANES
        while i < length:
            found += abs(np.float64(decode(view[b, s, row, i])))
            i += 1
    return total(vector) + found


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


@inline
def _divisor(n, correction, rest):  # type: ignore[no-untyped-def]
    """n - correction as a double-double, and whether that is as exact as the bounds take it to be."""
    above, below = two_sum(np.float64(n), -correction)
    below -= rest
    return above, below, abs(above) > 2.0**-10 * abs(correction) or (below == 0.0 and rest == 0.0)


@inline
def _one(view, mask, masked, omit, r, correction, rest, wants, code, out, counts, buffer, sums):  # type: ignore[no-untyped-def]
    """Answers out[:, r] for one row, whether they are certain, and notes."""
    _, segments, rows, length = view.shape
    state = empty(buffer)
    numbers = numbers_of(code)
    b, row = r // rows, r % rows
    n, nan, plus, minus = 0, 0, 0, 0
    notes = 0
    same = not masked and _all_equal(view, b, row, view.strides[3] == view.itemsize)
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
    if (masked or omit) and n and not same:  # else the buffer holds one value only
        same = True
        for i in range(n):
            same &= buffer[0, 0, i] == buffer[0, 0, 0]
    counts[r] = n
    above, below, certain = _divisor(n, correction, rest)
    variance, std = row_of(VARIANCE, wants), row_of(STD, wants)
    for i in range(out.shape[0]):
        out[i, r] = math.nan
    if wants & 1 and n == 0:
        notes |= EMPTY
    if wants & 6 and (n == 0 or above <= 0.0):
        if not certain:
            return False, notes
        notes |= DEGREES
    spread = wants & 6 if n > 0 and above > 0.0 else 0
    if n == 0:
        return True, notes
    if nan + plus + minus:
        both = plus > 0 and minus > 0
        if nan == 0:
            if wants & 1:
                out[0, r] = math.nan if both else np.inf if plus > 0 else -np.inf
                notes |= OPPOSITE if both else 0
            if spread:
                notes |= OPPOSITE if both else INVALID
        return True, notes
    x0 = buffer[0, 0, 0]
    if same:
        if spread & 2:
            out[variance, r] = 0.0
        if spread & 4:
            out[std, r] = 0.0
        if wants & 1:
            drop, largest, tiny, magic = numbers
            near = x0 if drop == 0 else to_format(x0, drop, largest, tiny, magic)
            out[0, r] = math.copysign(near, x0) if x0 != 0.0 else 0.0
            notes |= OVERFLOW if abs(near) > largest else 0
        return True, notes
    asked = (wants & 1) | spread
    if not asked:
        return True, notes
    # LONGEST values or fewer below it have a variance that rounds to 0.
    if asked == 2 and most < SMALLEST and above > 2.0**-10:
        out[variance, r] = 0.0
        return True, notes
    values = buffer[:, :, :n]
    c = _shift(values, 0)
    sums[0, 0] = c
    put(sums, 0, _row(values, 0, c))
    k, m = depths(1, n)
    failed, more = decide(state, sums, 1, divisors(n, above, below), k, m, asked, code, out, r)
    if not failed and certain:
        return True, notes | more
    if not (certain and below == 0.0):
        return False, notes
    s, q, s_exact, q_exact = _exact_sums(values, n, x0)
    return (s_exact or not asked & 1) and settled_sums(s, q, q_exact, n, x0, above, asked, code, out, r), notes


@inline
def _copied(view, mask, masked, r, buffer, lane):  # type: ignore[no-untyped-def]
    """How many values of a row count; they are copied to buffer[0, lane]."""
    _, segments, rows, length = view.shape
    b, row = r // rows, r % rows
    n = 0
    for s in range(segments):
        for i in range(length):
            buffer[0, lane, n] = view[b, s, row, i]
            n += mask[b, s, row, i] if masked else 1
    return n


def gathered_rows(view, mask, masked, fresh, omit, which, correction, rest, wants, code, out, counts):  # type: ignore[no-untyped-def]
    """Answers for the rows `which` of a view (blocks, segments, rows, length) of any strides, for all where `fresh`.

    mask : bool, of the view's shape: the values that count, where `masked`. fresh : no other kernel has tried the
    rows. omit : NaN values do not count, either. correction, rest : the correction as a double-double. wants, code,
    out : as for `sweeps.long_rows`. counts : int64, of each row: how many values count. Answers how many rows are
    undecided, which stand at the start of `which` then, and the notes.
    """
    size = view.shape[1] * view.shape[3]
    buffer, held = np.empty((1, 1, size + LANES)), np.empty((1, LANES, size + LANES), view.dtype)
    state = empty(held)
    room = np.empty((18, _TOGETHER + LANES))
    sums, own, answers = room[:5], room[5:10], room[10 : 10 + out.shape[0]]
    n, by_n, by_n_low, by, by_low = room[13], room[14], room[15], room[16], room[17]
    short = size <= SHORT
    places = np.empty(_TOGETHER, np.int64)
    adjacent = view.strides[3] == view.itemsize
    k, m = depths(1, size)
    if short:
        k, m = size, 0
    left, notes = 0, 0
    if not is_default():
        return IRREGULAR, 0
    for r in range(len(which) if fresh else 0):
        which[r] = r
    for start in range(0, len(which), _TOGETHER):
        w = min(_TOGETHER, len(which) - start)
        for j in range(w if fresh else 0):
            lane = j % LANES if short else 0
            some = _copied(view, mask, masked, which[start + j], held, lane)
            counts[which[start + j]] = some
            above, below, certain = _divisor(some, correction, rest)
            if some > 0 and above > 0.0 and certain:
                n[j], by_n[j], by_n_low[j], by[j], by_low[j] = divisors(some, above, below)
                for i in range(some, size if short else some):  # no difference from the shift
                    held[0, lane, i] = held[0, lane, 0]
            else:
                n[j], by_n[j], by_n_low[j], by[j], by_low[j] = 0.0, 1.0, 0.0, 1.0, 0.0
            if short:
                if lane == LANES - 1 or j == w - 1:
                    c = or_nan(across(held, 0, 0, 0), SMALLEST)
                    store(sums, 0, j - lane, c)
                    keep(sums, j - lane, eight_rows(held, 0, 0, 0, size, 0, c, state))
            elif some > 0:
                values = held[:, :, :some]
                c = _shift(values, 0)
                sums[0, j] = c
                put(sums, j, _row(values, 0, c))
        if fresh:
            for j in range(w):
                if n[j] == 0.0:
                    sums[:, j] = math.nan
            _, more = decide(state, sums, w, (n, by_n, by_n_low, by, by_low), k, m, wants, code, answers, 0)
            notes |= more
        for j in range(w):
            places[j] = j
            for i in range(out.shape[0] if fresh else 0):
                out[i, which[start + j]] = answers[i, j]
        for j in places[: undecided(answers, 0, w, places) if fresh else w]:
            r = which[start + j]
            if fresh and n[j] > 0.0:
                above, below, _ = _divisor(counts[r], correction, rest)
                some = _copied(view, mask, masked, r, held, 0)
                if settled_row(state, held[:, :, :some], 0, sums, j, some, above, below, wants, code, out, r):
                    continue
            elif not fresh and not omit:
                magnitudes = _magnitudes(view, r // view.shape[2], r % view.shape[2], adjacent)
                if np.isnan(magnitudes):
                    for i in range(out.shape[0]):
                        out[i, r] = math.nan
                    notes |= NAN
                    continue
                if wants == 2 and magnitudes < SMALLEST and size - correction > 2.0**-10:
                    out[0, r] = 0.0
                    continue
            fine, more = _one(view, mask, masked, omit, r, correction, rest, wants, code, out, counts, buffer, own)
            notes |= more
            if not fine:
                which[left] = r
                left += 1
    return left, notes
