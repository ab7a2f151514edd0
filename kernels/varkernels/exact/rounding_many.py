"""The compiled rounding of many rows' exact sums, in the limbs of `limbs`.

The answers are quotients p / q, or roots of such, with q below 2^62. A quotient of 62 bits or more, with what was
cut off known to be zero or not, decides the rounding to any of the formats; so does a root of 61 bits.
"""

from __future__ import annotations

import math

import numpy as np

from ..inlining import inline
from .limbs import LOW, S1, S2, U0, U1, U32

__all__ = [
    "DEGREES",
    "EMPTY",
    "INVALID",
    "M2",
    "MEAN",
    "OPPOSITE",
    "OVERFLOW",
    "STD",
    "VARIANCE",
    "answers",
]

# Limbs of a product.
_P = 2 * S1 + 2

# What there is to warn of, as bits.
EMPTY, DEGREES, OPPOSITE, INVALID, OVERFLOW = 1, 2, 4, 8, 16

# What is asked for.
MEAN, VARIANCE, M2, STD = 0, 1, 2, 3

_U63 = np.uint64(63)


# Quotients and roots --------------------------------------------------------------------------------------------------


@inline
def bit_length(x):  # type: ignore[no-untyped-def]
    n = 0
    for step in (32, 16, 8, 4, 2, 1):
        if x >> np.uint64(step) != U0:
            x >>= np.uint64(step)
            n += step
    return n + 1 if x != U0 else n


@inline
def magnitude(limbs, r, out):  # type: ignore[no-untyped-def]
    """|s1| of a row in 64-bit places of 32 bits; how many it takes, and whether s1 is negative."""
    negative = limbs[r, S1 - 1] >> np.uint32(31) != 0
    over = U1 if negative else U0
    size = 0
    for j in range(S1):
        limb = np.uint64(limbs[r, j])
        if negative:
            limb = (limb ^ LOW) + over
            over = limb >> U32
            limb &= LOW
        out[j] = limb
        if limb != U0:
            size = j + 1
    return size, negative


@inline
def deviations(s1, s2, r, n, below, a, p):  # type: ignore[no-untyped-def]
    """below (n s2 - s1^2), which is not negative, in places of 32 bits; how many it takes."""
    size, _ = magnitude(s1, r, a)
    count = np.uint64(n)
    over = U0
    for j in range(_P):
        product = over
        if j < S2:
            product += count * np.uint64(s2[r, j])
        p[j] = product & LOW
        over = product >> U32
    for i in range(size):
        borrow = U0
        over = U0
        for j in range(_P - i):
            product = over
            if j < size:
                product += a[i] * a[j]
            over = product >> U32
            taken = p[i + j] - (product & LOW) - borrow  # wraps: the sign is its highest bit
            p[i + j] = taken & LOW
            borrow = taken >> _U63
            if j >= size and over == U0 and borrow == U0:
                break
    factor = np.uint64(below)
    over = U0
    size = 0
    for j in range(_P):
        product = p[j] * factor + over
        p[j] = product & LOW
        over = product >> U32
        if p[j] != U0:
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
            lost |= p[j] != U0
        lost |= (p[jump] & ((U1 << bits) - U1)) != U0
        begin = jump
    else:
        begin = -((-shift + 31) >> 5)
        bits = np.uint64((-begin << 5) + shift)
    # Six limbs from the place `begin` on, each from two neighbours.
    high, middle, low = U0, U0, U0
    for j in range(6):
        k = begin + j
        here = p[k] if 0 <= k < size else U0
        above = p[k + 1] if 0 <= k + 1 < size else U0
        limb = ((here | (above << U32)) >> bits) & LOW
        if j == 0:
            low = limb
        elif j == 1:
            low |= limb << U32
        elif j == 2:
            middle = limb
        elif j == 3:
            middle |= limb << U32
        elif j == 4:
            high = limb
        else:
            high |= limb << U32
    return high, middle, low, shift, lost


@inline
def divided(rest, word, q):  # type: ignore[no-untyped-def]
    """(rest 2^64 + word) / q and what remains, for rest < q < 2^62."""
    if q <= LOW:
        value = (rest << U32) | (word >> U32)
        upper = value // q
        value = ((value - upper * q) << U32) | (word & LOW)
        lower = value // q
        return (upper << U32) | lower, value - lower * q
    quotient = U0
    for j in range(64):
        rest = (rest << U1) | ((word >> np.uint64(63 - j)) & U1)
        quotient <<= U1
        if rest >= q:
            rest -= q
            quotient |= U1
    return quotient, rest


@inline
def rounded(q, sticky, exponent, precision, emin, emax):  # type: ignore[no-untyped-def]
    """q 2^exponent, 2^(precision + 1) <= q < 2^63 (or 0), and a little more if sticky, to nearest even in a format."""
    if q == U0:
        return 0.0
    highest = exponent + bit_length(q) - 1
    if highest > emax:
        return math.inf
    unit = max(highest, emin) - precision + 1
    drop = unit - exponent
    if drop > 63:
        return 0.0
    k = q >> np.uint64(drop)
    rest = q & ((U1 << np.uint64(drop)) - U1)
    half = U1 << np.uint64(drop - 1)
    if rest > half or (rest == half and (sticky or (k & U1) != U0)):
        k += U1
    if k == U1 << np.uint64(precision) and highest == emax:
        return math.inf
    return math.ldexp(np.float64(k), unit)


@inline
def square(x):  # type: ignore[no-untyped-def]
    """x^2 in two words, for x < 2^63."""
    high, low = x >> U32, x & LOW
    cross = high * low
    first = low * low
    lower = first + (cross << np.uint64(33))
    return high * high + (cross >> np.uint64(31)) + (U1 if lower < first else U0), lower


@inline
def root_of(high, low):  # type: ignore[no-untyped-def]
    """The integer root of a number of 121 or 122 bits in two words, and whether it is exact."""
    root = np.uint64(math.sqrt(np.float64(high) * 2.0**64 + np.float64(low)))
    for _ in range(2):
        h, t = square(root)
        less = h > high or (h == high and t > low)
        if less:
            difference = -(np.float64(h - high - (U1 if t < low else U0)) * 2.0**64 + np.float64(t - low))
        else:
            difference = np.float64(high - h - (U1 if low < t else U0)) * 2.0**64 + np.float64(low - t)
        root = np.uint64(np.int64(root) + np.int64(math.floor(difference / (2.0 * np.float64(root)))))
    while True:
        h, t = square(root)
        if h < high or (h == high and t <= low):
            break
        root -= U1
    while True:
        above, below = square(root + U1)
        if above > high or (above == high and below > low):
            break
        root += U1
        h, t = above, below
    return root, h == high and t == low


@inline
def root(p, size, q):  # type: ignore[no-untyped-def]
    """The root of p / q, rounded down to 61 bits: root 2^exponent, that exponent, and whether anything was cut off."""
    # A quotient of 121 or 122 bits, times an even power of two.
    width = bit_length(q) + 121
    length = 32 * (size - 1) + bit_length(p[size - 1])
    width -= (length - width) & 1
    high, middle, low, shift, lost = top(p, size, width)
    upper, rest = divided(high, middle, q)
    lower, rest = divided(rest, low, q)
    found, whole = root_of(upper, lower)
    return found, shift >> 1, lost or rest != U0 or not whole


def answers(s1, s2, exponent, count, special, what, above, below, precision, emin, emax, out):  # type: ignore[no-untyped-def]
    """The rows' means, variances or standard deviations with the correction above / below, or M2s (what: MEAN,
    VARIANCE, STD, M2), each rounded once: out[r].

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
            unit = exponent[r] if what == STD else 2 * exponent[r]
        if size == 0:
            out[r] = 0.0
            continue
        if what == STD:
            quotient, shift, sticky = root(p, size, q)
        else:
            _, middle, low, shift, lost = top(p, size, bit_length(q) + 62)
            quotient, rest = divided(middle, low, q)
            sticky = lost or rest != U0
        value = rounded(quotient, sticky, unit + shift, precision, emin, emax)
        if math.isinf(value):
            notes |= OVERFLOW
        out[r] = -value if negative else value
    return notes
