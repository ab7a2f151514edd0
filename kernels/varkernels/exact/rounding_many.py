"""The compiled rounding of many rows' exact sums, in integers of a few 32-bit limbs.

A row's sums are packed as s1 (two's complement, `S1` limbs) and s2 (`S2` limbs) with one exponent:
sum x = s1 2^e, sum x^2 = s2 4^e. Rows that need more limbs are the caller's, who has integers of any size.

The answers are quotients p / q, or roots of such, with q below 2^62. A quotient of 62 bits or more, with what was
cut off known to be zero or not, decides the rounding to any of the formats; so does a root of 61 bits.
"""

from __future__ import annotations

import math

import numpy as np

from ..jit import inline

__all__ = [
    "DEGREES",
    "EMPTY",
    "INVALID",
    "M2",
    "MEAN",
    "OPPOSITE",
    "OVERFLOW",
    "S1",
    "S2",
    "VARIANCE",
    "join",
    "pack",
    "quotients",
    "roots",
]

# Limbs of 32 bits, lowest first.
S1, S2 = 8, 12
_P = 2 * S1 + 2

# What there is to warn of, as bits.
EMPTY, DEGREES, OPPOSITE, INVALID, OVERFLOW = 1, 2, 4, 8, 16

# What is asked for.
MEAN, VARIANCE, M2 = 0, 1, 2

_U0, _U1, _U32, _U63 = np.uint64(0), np.uint64(1), np.uint64(32), np.uint64(63)
_LOW = np.uint64(0xFFFFFFFF)


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
    """Rows of digits (weights 2^(unit + 8 k) and 4^(unit + 8 k), as in `superaccumulator`) as limbs and an exponent.

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
    below = _U0
    for j in range(used):
        both = (np.uint64(limbs[r, j]) << bits) | below
        out[j + jump] += np.int64(both & _LOW)
        below = both >> _U32
    out[used + jump] += np.int64(below)
    if negative:  # what stands in the places used is 2^(32 used) too large
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


# Quotients and roots --------------------------------------------------------------------------------------------------


@inline
def bit_length(x):  # type: ignore[no-untyped-def]
    n = 0
    for step in (32, 16, 8, 4, 2, 1):
        if x >> np.uint64(step) != _U0:
            x >>= np.uint64(step)
            n += step
    return n + 1 if x != _U0 else n


@inline
def magnitude(limbs, r, out):  # type: ignore[no-untyped-def]
    """|s1| of a row in 64-bit places of 32 bits; how many it takes, and whether s1 is negative."""
    negative = limbs[r, S1 - 1] >> np.uint32(31) != 0
    over = _U1 if negative else _U0
    size = 0
    for j in range(S1):
        limb = np.uint64(limbs[r, j])
        if negative:
            limb = (limb ^ _LOW) + over
            over = limb >> _U32
            limb &= _LOW
        out[j] = limb
        if limb != _U0:
            size = j + 1
    return size, negative


@inline
def deviations(s1, s2, r, n, below, a, p):  # type: ignore[no-untyped-def]
    """below (n s2 - s1^2), which is not negative, in places of 32 bits; how many it takes."""
    size, _ = magnitude(s1, r, a)
    count = np.uint64(n)
    over = _U0
    for j in range(_P):
        product = over
        if j < S2:
            product += count * np.uint64(s2[r, j])
        p[j] = product & _LOW
        over = product >> _U32
    for i in range(size):
        borrow = _U0
        over = _U0
        for j in range(_P - i):
            product = over
            if j < size:
                product += a[i] * a[j]
            over = product >> _U32
            taken = p[i + j] - (product & _LOW) - borrow  # wraps: the sign is its highest bit
            p[i + j] = taken & _LOW
            borrow = taken >> _U63
            if j >= size and over == _U0 and borrow == _U0:
                break
    factor = np.uint64(below)
    over = _U0
    size = 0
    for j in range(_P):
        product = p[j] * factor + over
        p[j] = product & _LOW
        over = product >> _U32
        if p[j] != _U0:
            size = j + 1
    return size


@inline
def top(p, size, width):  # type: ignore[no-untyped-def]
    """The highest `width` <= 192 bits of a number, as three words, highest first; the bits that were cut off (negative:
    zeros that were put in), and whether anything was lost."""
    length = 32 * (size - 1) + bit_length(p[size - 1])
    shift = length - width
    lost = False
    if shift >= 0:
        jump, bits = shift >> 5, np.uint64(shift & 31)
        for j in range(min(jump, size)):
            lost |= p[j] != _U0
        lost |= (p[jump] & ((_U1 << bits) - _U1)) != _U0
        begin = jump
    else:
        begin = -((-shift + 31) >> 5)
        bits = np.uint64((-begin << 5) + shift)
    # Six limbs from the place `begin` on, each from two neighbours.
    high, middle, low = _U0, _U0, _U0
    for j in range(6):
        k = begin + j
        here = p[k] if 0 <= k < size else _U0
        above = p[k + 1] if 0 <= k + 1 < size else _U0
        limb = ((here | (above << _U32)) >> bits) & _LOW
        if j == 0:
            low = limb
        elif j == 1:
            low |= limb << _U32
        elif j == 2:
            middle = limb
        elif j == 3:
            middle |= limb << _U32
        elif j == 4:
            high = limb
        else:
            high |= limb << _U32
    return high, middle, low, shift, lost


@inline
def divided(rest, word, q):  # type: ignore[no-untyped-def]
    """(rest 2^64 + word) / q and what remains, for rest < q < 2^62."""
    if q <= _LOW:
        value = (rest << _U32) | (word >> _U32)
        upper = value // q
        value = ((value - upper * q) << _U32) | (word & _LOW)
        lower = value // q
        return (upper << _U32) | lower, value - lower * q
    quotient = _U0
    for j in range(64):
        rest = (rest << _U1) | ((word >> np.uint64(63 - j)) & _U1)
        quotient <<= _U1
        if rest >= q:
            rest -= q
            quotient |= _U1
    return quotient, rest


@inline
def rounded(q, sticky, exponent, precision, emin, emax):  # type: ignore[no-untyped-def]
    """q 2^exponent, 2^(precision + 1) <= q < 2^63 (or 0), and a little more if sticky, to nearest even in a format."""
    if q == _U0:
        return 0.0
    highest = exponent + bit_length(q) - 1
    if highest > emax:
        return math.inf
    unit = max(highest, emin) - precision + 1
    drop = unit - exponent
    if drop > 63:
        return 0.0
    k = q >> np.uint64(drop)
    rest = q & ((_U1 << np.uint64(drop)) - _U1)
    half = _U1 << np.uint64(drop - 1)
    if rest > half or (rest == half and (sticky or (k & _U1) != _U0)):
        k += _U1
    if k == _U1 << np.uint64(precision) and highest == emax:
        return math.inf
    return math.ldexp(np.float64(k), unit)


def quotients(s1, s2, exponent, count, special, what, above, below, precision, emin, emax, out):  # type: ignore[no-untyped-def]
    """The rows' means, variances with the correction above / below, or M2s (what: MEAN, VARIANCE, M2), each rounded
    once: out[r].

    count below 2^31, and count below - above too. Answers what there is to warn of.
    """
    notes = 0
    a, p = np.zeros(S1, np.uint64), np.zeros(_P, np.uint64)
    for r in range(s1.shape[0]):
        n = count[r]
        divisor = np.int64(1) if what == M2 else n * below - above
        nan, plus, minus = special[r, 0] != 0, special[r, 1] != 0, special[r, 2] != 0
        out[r] = math.nan
        negative = False
        if what == MEAN:
            if n == 0:
                notes |= EMPTY
                continue
            if nan or plus or minus:
                if not nan and plus and minus:
                    notes |= OPPOSITE
                elif not nan:
                    out[r] = math.inf if plus else -math.inf
                continue
            size, negative = magnitude(s1, r, p)
            q = np.uint64(n)
            unit = exponent[r]
        else:
            if divisor <= 0 or n == 0:
                notes |= DEGREES
                continue
            if nan or plus or minus:
                if not nan:
                    notes |= OPPOSITE if plus and minus else INVALID
                continue
            size = deviations(s1, s2, r, n, below, a, p)
            q = np.uint64(n) * np.uint64(divisor)
            unit = 2 * exponent[r]
        if size == 0:
            out[r] = 0.0
            continue
        _, middle, low, shift, lost = top(p, size, bit_length(q) + 62)
        quotient, rest = divided(middle, low, q)
        value = rounded(quotient, lost or rest != _U0, unit + shift, precision, emin, emax)
        if math.isinf(value):
            notes |= OVERFLOW
        out[r] = -value if negative else value
    return notes


@inline
def square(x):  # type: ignore[no-untyped-def]
    """x^2 in two words, for x < 2^63."""
    high, low = x >> _U32, x & _LOW
    cross = high * low
    first = low * low
    lower = first + (cross << np.uint64(33))
    return high * high + (cross >> np.uint64(31)) + (_U1 if lower < first else _U0), lower


@inline
def root_of(high, low):  # type: ignore[no-untyped-def]
    """The integer root of a number of 121 or 122 bits in two words, and whether it is exact."""
    root = np.uint64(math.sqrt(np.float64(high) * 2.0**64 + np.float64(low)))
    for _ in range(2):
        h, t = square(root)
        less = h > high or (h == high and t > low)
        if less:
            difference = -(np.float64(h - high - (_U1 if t < low else _U0)) * 2.0**64 + np.float64(t - low))
        else:
            difference = np.float64(high - h - (_U1 if low < t else _U0)) * 2.0**64 + np.float64(low - t)
        root = np.uint64(np.int64(root) + np.int64(math.floor(difference / (2.0 * np.float64(root)))))
    while True:
        h, t = square(root)
        if h < high or (h == high and t <= low):
            break
        root -= _U1
    while True:
        above, below = square(root + _U1)
        if above > high or (above == high and below > low):
            break
        root += _U1
        h, t = above, below
    return root, h == high and t == low


def roots(s1, s2, exponent, count, special, above, below, precision, emin, emax, out):  # type: ignore[no-untyped-def]
    """The rows' standard deviations, each the exact variance's root rounded once; as `quotients`."""
    notes = 0
    a, p = np.zeros(S1, np.uint64), np.zeros(_P, np.uint64)
    for r in range(s1.shape[0]):
        n = count[r]
        divisor = n * below - above
        out[r] = math.nan
        if divisor <= 0 or n == 0:
            notes |= DEGREES
            continue
        if special[r, 0] != 0 or special[r, 1] != 0 or special[r, 2] != 0:
            if special[r, 0] == 0:
                notes |= OPPOSITE if special[r, 1] != 0 and special[r, 2] != 0 else INVALID
            continue
        size = deviations(s1, s2, r, n, below, a, p)
        if size == 0:
            out[r] = 0.0
            continue
        q = np.uint64(n) * np.uint64(divisor)
        # A quotient of 121 or 122 bits, times an even power of two.
        width = bit_length(q) + 121
        length = 32 * (size - 1) + bit_length(p[size - 1])
        width -= (length - width) & 1
        high, middle, low, shift, lost = top(p, size, width)
        upper, rest = divided(high, middle, q)
        lower, rest = divided(rest, low, q)
        root, whole = root_of(upper, lower)
        value = rounded(root, lost or rest != _U0 or not whole, exponent[r] + (shift >> 1), precision, emin, emax)
        if math.isinf(value):
            notes |= OVERFLOW
        out[r] = value
    return notes
