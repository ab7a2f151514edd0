"""Exact sums as integers of a few 32-bit limbs: digits packed into limbs, and the limbs of several rows joined.

A row's sums are packed as s1 (two's complement, `S1` limbs) and s2 (`S2` limbs) with one exponent:
sum x = s1 2^e, sum x^2 = s2 4^e. Rows that need more limbs are the caller's, who has integers of any size.
"""

from __future__ import annotations

import numpy as np

from ..inlining import inline

__all__ = ["LOW", "S1", "S2", "U0", "U1", "U32", "join", "pack"]

# Limbs of 32 bits, lowest first.
S1, S2 = 8, 12

U0, U1, U32 = np.uint64(0), np.uint64(1), np.uint64(32)
LOW = np.uint64(0xFFFFFFFF)


# Digits to limbs ------------------------------------------------------------------------------------------------------


@inline
def ends(digits, r):  # type: ignore[no-untyped-def]
    """The places of the first and the last digit that is not 0; (number of digits, -1) where all are."""
    count = digits.shape[1]
    first = 0
    while first + 8 <= count:
        some = digits[r, first]
        for j in range(1, 8):
            some |= digits[r, first + j]
        if some != 0:
            break
        first += 8
    while first < count and digits[r, first] == 0:
        first += 1
    if first == count:
        return first, -1
    last = count - 1
    while last >= 8:
        some = digits[r, last]
        for j in range(1, 8):
            some |= digits[r, last - j]
        if some != 0:
            break
        last -= 8
    while digits[r, last] == 0:
        last -= 1
    return first, last


@inline
def carried(digits, r, first, last, width, limbs):  # type: ignore[no-untyped-def]
    """Digits of `width` bits from `first` on as limbs of 32 bits, sign extended; False where they do not fit."""
    size = limbs.shape[1]
    over = np.int64(0)
    place = 0
    k = first
    step = 32 // width
    while k <= last or over > 0 or over < -1:
        limb = np.int64(0)
        for j in range(step):
            value = over
            if k + j <= last:
                value += digits[r, k + j]
            limb |= (value & ((np.int64(1) << width) - 1)) << (width * j)
            over = value >> width
        if place == size:
            return False
        limbs[r, place] = np.uint32(limb)
        place += 1
        k += step
    for j in range(place, size):
        limbs[r, j] = np.uint32(0) if over == 0 else np.uint32(0xFFFFFFFF)
    # The highest bit is the sign: a number that has grown into it does not fit.
    return (limbs[r, size - 1] >> np.uint32(31) == 0) == (over == 0)


def pack(digits, squares, unit, s1, s2, exponent, wide):  # type: ignore[no-untyped-def]
    """Rows of digits (weights 2^(unit + 8 k) and 4^(unit + 8 k), as in `accumulator`) as limbs and an exponent.

    The digits of a row are zeroed, unless it does not fit: then wide[r] is set.
    """
    for r in range(digits.shape[0]):
        first1, last1 = ends(digits, r)
        first2, last2 = ends(squares, r)
        wide[r] = False
        if last2 < 0:
            exponent[r] = 0
            s1[r, :] = np.uint32(0)
            s2[r, :] = np.uint32(0)
            continue
        first = min(first1, first2)
        exponent[r] = unit + 8 * first
        fits = carried(digits, r, first, last1, 8, s1) and carried(squares, r, first, last2, 16, s2)
        wide[r] = not fits
        if fits:
            for k in range(first1, last1 + 1):
                digits[r, k] = 0
            for k in range(first2, last2 + 1):
                squares[r, k] = 0


@inline
def nothing(s2, r):  # type: ignore[no-untyped-def]
    """Whether a row's values are all 0."""
    some = np.uint32(0)
    for j in range(S2):
        some |= s2[r, j]
    return some == 0


@inline
def added(limbs, r, shift, out):  # type: ignore[no-untyped-def]
    """Add a row's limbs, shifted up by `shift` bits, to int64 places of 32 bits; False where they reach the top."""
    size = limbs.shape[1]
    jump, bits = shift >> 5, np.uint64(shift & 31)
    negative = limbs[r, size - 1] >> np.uint32(31) != 0
    sign = np.uint32(0xFFFFFFFF) if negative else np.uint32(0)
    used = size
    while used > 0 and limbs[r, used - 1] == sign:
        used -= 1
    if used + jump + 2 > size:
        return False
    below = U0
    for j in range(used):
        both = (np.uint64(limbs[r, j]) << bits) | below
        out[j + jump] += np.int64(both & LOW)
        below = both >> U32
    out[used + jump] += np.int64(below)
    if negative:  # what is in the places used is 2^(32 used) too large
        out[used + jump] -= np.int64(1) << np.int64(bits)
    return True


@inline
def settled(places, limbs, r):  # type: ignore[no-untyped-def]
    """Carry int64 places of 32 bits to limbs; False where the number does not fit."""
    over = np.int64(0)
    size = limbs.shape[1]
    for j in range(size):
        value = places[j] + over
        limbs[r, j] = np.uint32(value & 0xFFFFFFFF)
        over = value >> 32
    return over == (0 if limbs[r, size - 1] >> np.uint32(31) == 0 else -1)


def join(places, s1, s2, exponent, wide, to1, to2, to_exponent, to_wide):  # type: ignore[no-untyped-def]
    """The sums of the rows places[r, :] together, for every r; a sum that does not fit is wide."""
    sum1, sum2 = np.zeros(S1, np.int64), np.zeros(S2, np.int64)
    for r in range(places.shape[0]):
        lowest = np.int64(1) << 40
        to_wide[r] = False
        for j in range(places.shape[1]):
            k = places[r, j]
            to_wide[r] |= wide[k]
            if not wide[k] and not nothing(s2, k):
                lowest = min(lowest, exponent[k])
        sum1[:] = 0
        sum2[:] = 0
        to_exponent[r] = 0 if lowest == np.int64(1) << 40 else lowest
        if to_wide[r]:
            continue
        for j in range(places.shape[1]):
            k = places[r, j]
            if nothing(s2, k):
                continue
            shift = exponent[k] - lowest
            if not (added(s1, k, shift, sum1) and added(s2, k, 2 * shift, sum2)):
                to_wide[r] = True
                break
        if not to_wide[r]:
            to_wide[r] = not (settled(sum1, to1, r) and settled(sum2, to2, r))
