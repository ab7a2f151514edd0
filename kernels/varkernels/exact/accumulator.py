"""The compiled part of the exact sums: integers, and floating-point sums that are proved to be exact.

A finite number of any of the four formats is m 2^(E - b), with an integer significand m, the exponent field E
(1 for subnormal numbers, whose field is 0) and a constant b. With s = E mod 8, k = E div 8 and M = m 2^s,

    x   = M   2^(8 k - b)      goes to the k-th of a row of int64 digits of weight 2^(8 k),
    x^2 = M^2 2^(16 k - 2 b)   goes to the k-th of a row of int64 digits of weight 2^(16 k),

in pieces of less than 2^34 each, so that 2^28 values fit before any digit could overflow: no carry until
then. At the end the carries turn each row of digits into one Python integer. This is the small
superaccumulator of Neal 2015, "Fast exact summation using small and large superaccumulators",
arXiv:1505.05571, with narrower digits and a second accumulator for the squares.

Most blocks need no integers. Where the exponents of 1024 values lie close together, the values (and their squares,
as an exact product and its error) are cut on common grids by (v + M) - M, M = 1.5 2^(52 + t), into multiples of 2^t
and what remains below; each part is so short that float64 adds 1024 of them without any rounding, in any order. The
block's few sums then go to the digits. Cutting as in Rump, Ogita, Oishi 2008, doi:10.1137/050645671, section 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from ..blocking import BLOCK
from ..inlining import inline
from ..simd import (
    LANES,
    highest,
    less_one,
    load,
    lowest,
    magnitudes,
    maximum,
    minimum,
    prefetch,
    splat,
    total,
    vector_fma,
)
from ..smallfloat import bits_of, from_bits
from .gathering import gather

__all__ = ["add_narrow", "add_wide", "carry", "sweep"]

_LOW = 0xFFFFFFFF
_UNSIGNED_LOW, _HALF = np.uint64(_LOW), np.uint64(32)


# One value, in integers ----------------------------------------------------------------------------------------------


@inline
def add_narrow(bits, fraction, field, r, digits, squares, special):  # type: ignore[no-untyped-def]
    """A value of at most 24 bits: M has at most 31 bits and M^2 at most 62.

    bits: a signed integer that holds the value; fraction: bits of its fraction; field: its largest exponent field;
    digits, squares: see above; special: each row's numbers of NaN, +inf and -inf.
    """
    hidden = np.int64(1) << fraction
    bits = np.int64(bits)
    sign = bits >> 63
    e = (bits >> fraction) & field
    m = bits & (hidden - 1)
    if e == field:
        special[r, 0 if m != 0 else 1 - sign] += 1
        return
    if e == 0:
        e = np.int64(1)
    else:
        m |= hidden
    k = (e >> 3) & 0xFF
    m <<= e & 7
    q = m * m
    digits[r, k] += (m ^ sign) - sign
    squares[r, k] += q & _LOW
    squares[r, k + 2] += q >> 32


@inline
def add_wide(bits, fraction, field, r, digits, squares, special):  # type: ignore[no-untyped-def]
    """A float64: M = a 2^32 + c has at most 60 bits, and M^2 = a^2 2^64 + 2 a c 2^32 + c^2."""
    hidden = np.int64(1) << fraction
    sign = bits >> 63
    e = (bits >> fraction) & field
    m = bits & (hidden - 1)
    if e == field:
        special[r, 0 if m != 0 else 1 - sign] += 1
        return
    if e == 0:
        e = np.int64(1)
    else:
        m |= hidden
    k = (e >> 3) & 0xFF
    m <<= e & 7
    a = m >> 32
    c = m & _LOW
    ac = 2 * a * c
    aa = a * a
    u = np.uint64(c)  # a signed product could reach 2^63, and compiled code may not wrap
    cc = u * u
    m = (m ^ sign) - sign
    digits[r, k] += m & _LOW
    digits[r, k + 4] += m >> 32
    squares[r, k] += np.int64(cc & _UNSIGNED_LOW)
    squares[r, k + 2] += np.int64(cc >> _HALF) + (ac & _LOW)
    squares[r, k + 4] += (ac >> 32) + (aa & _LOW)
    squares[r, k + 6] += aa >> 32


# A block, in floating point ------------------------------------------------------------------------------------------


@inline
def cutter(t):  # type: ignore[no-untyped-def]
    """1.5 2^(52 + t): what is added to it is rounded to a multiple of 2^t."""
    return from_bits(((np.int64(1075) + t) << 52) | (np.int64(1) << 51))


@inline
def add_float(v, unit, width, r, digits):  # type: ignore[no-untyped-def]
    """A normal float64 that is a multiple of 2^unit (or 0), to a row of digits of `width` bits' weight."""
    b = bits_of(v)
    field = (b >> 52) & 0x7FF
    if field == 0:
        return
    m = (b & ((np.int64(1) << 52) - 1)) | (np.int64(1) << 52)
    place = field - 1075 - unit
    if place < 0:
        m >>= -place  # zeros only
        place = np.int64(0)
    k = place // width
    s = place - k * width
    step = 16 // width
    for j in range(4):
        piece = ((m >> (16 * j)) & 0xFFFF) << s
        digits[r, k + step * j] += -piece if b < 0 else piece


@inline
def extent(bits, s, r, i, n, following):  # type: ignore[no-untyped-def]
    """The bits of the largest |x| of n values, a multiple of LANES, and those of the smallest that is not 0, less 1."""
    some = magnitudes(bits, s, r, i)
    high, low = some, less_one(some)
    for j in range(LANES, n, LANES):
        if j < following:
            prefetch(bits, s, r, i + n + j // 2)
        some = magnitudes(bits, s, r, i + j)
        high = maximum(high, some)
        low = minimum(low, less_one(some))
    return highest(high), lowest(low)


@inline
def block_narrow(values, bits, s, r, i, n, following, fraction, field, unit, row, digits, squares):  # type: ignore[no-untyped-def]
    """Add n values of at most 24 bits, n a multiple of LANES and at most BLOCK; where float64 could round, add nothing
    and answer False.

    With exponents of E down to F, |x| < 2^(E + 1) and x a multiple of 2^(F - fraction): sum x has at most
    E + 11 - F + fraction bits. x^2 is exact; its upper part, multiples of 2^(2 E - 41), sums to less than 2^(2 E + 12),
    its lower part, below 2^(2 E - 42), to multiples of 2^(2 F - 2 fraction). All have at most 53 bits if
    E - F <= 42 - fraction.
    """
    high, low = extent(bits, s, r, i, n, following)
    if high == 0:
        return True
    top = max(high >> fraction, 1)
    if top == field or top - max((low + 1) >> fraction, 1) > 42 - fraction:
        return False
    cut = splat(cutter(2 * (top - (field >> 1)) - 41))
    first, upper, lower = splat(0.0), splat(0.0), splat(0.0)
    for j in range(0, n, LANES):
        if j < following:
            prefetch(values, s, r, i + n + (n + j) // 2)
        x = load(values, s, r, i + j)
        p = x * x
        h = (p + cut) - cut
        first = first + x
        upper = upper + h
        lower = lower + (p - h)
    add_float(total(first), unit, 8, row, digits)
    add_float(total(upper), 2 * unit, 16, row, squares)
    add_float(total(lower), 2 * unit, 16, row, squares)
    return True


@inline
def block_wide(values, bits, s, r, i, n, following, fraction, field, unit, row, digits, squares):  # type: ignore[no-untyped-def]
    """The same for float64, with x^2 = p + e, p = fl(x^2): x, p and e are all cut in two.

    The grids are 2^(E - 42), 2^(2 E - 41) and 2^(2 E - 95); the parts have at most 53 bits if E - F <= 16. Exponents
    are kept far from both ends, so that nothing overflows and e is exact.
    """
    high, low = extent(bits, s, r, i, n, following)
    if high == 0:
        return True
    top, bottom = max(high >> fraction, 1), max((low + 1) >> fraction, 1)
    e = top - (field >> 1)
    if e > 480 or bottom < 600 or top - bottom > 16:
        return False
    cut_x, cut_p, cut_e = splat(cutter(e - 42)), splat(cutter(2 * e - 41)), splat(cutter(2 * e - 95))
    zero = splat(0.0)
    upper_x, lower_x, upper_p, lower_p, upper_e, lower_e = zero, zero, zero, zero, zero, zero
    for j in range(0, n, LANES):
        if j < following:
            prefetch(values, s, r, i + n + (n + j) // 2)
        x = load(values, s, r, i + j)
        p = x * x
        error = vector_fma(x, x, zero - p)
        h = (x + cut_x) - cut_x
        upper_x = upper_x + h
        lower_x = lower_x + (x - h)
        h = (p + cut_p) - cut_p
        upper_p = upper_p + h
        lower_p = lower_p + (p - h)
        h = (error + cut_e) - cut_e
        upper_e = upper_e + h
        lower_e = lower_e + (error - h)
    add_float(total(upper_x), unit, 8, row, digits)
    add_float(total(lower_x), unit, 8, row, digits)
    add_float(total(upper_p), 2 * unit, 16, row, squares)
    add_float(total(lower_p), 2 * unit, 16, row, squares)
    add_float(total(upper_e), 2 * unit, 16, row, squares)
    add_float(total(lower_e), 2 * unit, 16, row, squares)
    return True


# The rows of a view --------------------------------------------------------------------------------------------------


def add_value(*of: Any) -> None:
    """`add_narrow` or `add_wide`, by the type of the bits: within kernels only."""
    raise RuntimeError("add_value() runs within compiled kernels only")


@overload(add_value)
def _add_value(bits, fraction, field, r, digits, squares, special):  # type: ignore[no-untyped-def]
    return add_wide if bits == types.int64 else add_narrow


def block(*of: Any) -> bool:
    """`block_narrow` or `block_wide`, by the type of the bits: within kernels only."""
    raise RuntimeError("block() runs within compiled kernels only")


@overload(block)
def _block(values, bits, s, r, i, n, following, fraction, field, unit, row, digits, squares):  # type: ignore[no-untyped-def]
    return block_wide if bits.dtype == types.int64 else block_narrow


def sweep(values, bits, held, held_bits, direct, ahead, together, fraction, field, unit, digits, squares, special):  # type: ignore[no-untyped-def]
    """Add every row of a view (segments, rows, length) to its digits.

    values, bits: the view as `simd.load` takes it, and as signed integers. held, held_bits: a buffer of the same kinds,
    (1, together, BLOCK). direct: whether values lie next to each other; ahead: whether rows do, too. unit: exponent of
    the last digit's weight. fraction, field, digits, squares, special: as for `add_narrow`.
    """
    segments, rows, length = values.shape
    size = segments * length
    for first in range(0, rows, together):
        some = min(together, rows - first)
        for begin in range(0, size, BLOCK):
            n = min(BLOCK, size - begin)
            s = begin // length
            i = begin - s * length
            if direct and i + n <= length:
                whole = n - n % LANES
                after = whole if ahead else min(length - i - whole, whole)
                if not whole or not block(
                    values, bits, s, first, i, whole, after, fraction, field, unit, first, digits, squares
                ):
                    whole = 0
                for k in range(whole, n):
                    add_value(bits[s, first, i + k], fraction, field, first, digits, squares, special)
                continue
            gather(bits, first, some, begin, n, held_bits, direct)
            padded = -(-n // LANES) * LANES
            for r in range(some):
                for k in range(n, padded):
                    held_bits[0, r, k] = 0
                if not block(held, held_bits, 0, r, 0, padded, 0, fraction, field, unit, first + r, digits, squares):
                    for k in range(n):
                        add_value(held_bits[0, r, k], fraction, field, first + r, digits, squares, special)


def carry(digits, width, out):  # type: ignore[no-untyped-def]
    """Digits of `width` bytes each, signed and not yet carried, as little-endian two's complement integers.
    The digits are zeroed."""
    rows, count = digits.shape
    for r in range(rows):
        over = np.int64(0)
        for k in range(count):
            value = digits[r, k] + over
            digits[r, k] = 0
            for j in range(width):
                out[r, k * width + j] = (value >> (8 * j)) & 0xFF
            over = value >> (8 * width)
