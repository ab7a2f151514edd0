"""Exact sums of x and x^2 over the rows of a view: integers, no rounding anywhere.

A finite number of any of the four formats is m 2^(E - b), with an integer significand m, the exponent field E
(1 for subnormal numbers, whose field is 0) and a constant b. With s = E mod 8, k = E div 8 and M = m 2^s,

    x   = M   2^(8 k - b)      goes to the k-th of a row of int64 digits of weight 2^(8 k),
    x^2 = M^2 2^(16 k - 2 b)   goes to the k-th of a row of int64 digits of weight 2^(16 k),

in pieces of less than 2^34 each, so that 2^28 values fit before any digit could overflow: no carry until
then. At the end the carries turn each row of digits into one Python integer. This is the small
superaccumulator of Neal 2015, "Fast exact summation using small and large superaccumulators",
arXiv:1505.05571, with narrower digits and a second accumulator for the squares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from operator import add
from typing import Any

import numpy as np
from numba import types
from numpy.typing import ArrayLike, NDArray

from .formats import Format
from .jit import cached_njit
from .run import rows_of

__all__ = ["ExactSums", "exact_sums"]

# Values that a row of digits takes before it is emptied: each adds less than 2^34 to a digit of 63 bits.
LIMIT = 2**28
# Rows that are summed side by side: their digits stay in the second-level cache.
ROWS = 256

_LOW = 0xFFFFFFFF
_UNSIGNED_LOW, _HALF = np.uint64(_LOW), np.uint64(32)


@dataclass(frozen=True, slots=True)
class ExactSums:
    """The exact sums of a row's FINITE values: sum x = s1 2^exponent and sum x^2 = s2 2^(2 exponent).

    Attributes
    ----------
    count : all the row's values, finite or not.
    nan, posinf, neginf : how many of them are NaN, +inf, -inf; these are counted and not summed.
    s1, s2 : integers of any size; s2 >= 0.
    exponent : the largest that makes both integers (0 where both are 0).
    """

    count: int
    nan: int
    posinf: int
    neginf: int
    s1: int
    s2: int
    exponent: int


def _narrow(view, fraction, field, digits, squares, special):  # type: ignore[no-untyped-def]
    """Formats of at most 24 bits: M has at most 31 bits and M^2 at most 62.

    view: signed integers that hold the format's bits; fraction: bits of its fraction; field: its largest
    exponent field; digits, squares: see above; special: each row's numbers of NaN, +inf and -inf.
    """
    outer, segments, rows, length = view.shape
    hidden = np.int64(1) << fraction
    for o in range(outer):
        for s in range(segments):
            for r in range(rows):
                for i in range(length):
                    bits = np.int64(view[o, s, r, i])
                    sign = bits >> 63
                    e = (bits >> fraction) & field
                    m = bits & (hidden - 1)
                    if e == field:
                        special[r, 0 if m != 0 else 1 - sign] += 1
                        continue
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


def _wide(view, fraction, field, digits, squares, special):  # type: ignore[no-untyped-def]
    """float64: M = a 2^32 + c has at most 60 bits, and M^2 = a^2 2^64 + 2 a c 2^32 + c^2."""
    outer, segments, rows, length = view.shape
    hidden = np.int64(1) << fraction
    for o in range(outer):
        for s in range(segments):
            for r in range(rows):
                for i in range(length):
                    bits = view[o, s, r, i]
                    sign = bits >> 63
                    e = (bits >> fraction) & field
                    m = bits & (hidden - 1)
                    if e == field:
                        special[r, 0 if m != 0 else 1 - sign] += 1
                        continue
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


def _carry(digits, width, out):  # type: ignore[no-untyped-def]
    """Digits of `width` bytes each, signed and not yet carried, as little-endian two's complement integers.
    The digits are zeroed."""
    rows, count = digits.shape
    for r in range(rows):
        carry = np.int64(0)
        for k in range(count):
            total = digits[r, k] + carry
            digits[r, k] = 0
            for j in range(width):
                out[r, k * width + j] = (total >> (8 * j)) & 0xFF
            carry = total >> (8 * width)


# The integers that hold a format's bits, by the format's bytes.
_BITS = {2: np.int16, 4: np.int32, 8: np.int64}
_CARRIERS: dict[int, Any] = {2: types.int16, 4: types.int32, 8: types.int64}


@cache
def _adder(itemsize: int) -> Any:
    carrier = types.Array(_CARRIERS[itemsize], 4, "A", readonly=True)
    table = types.Array(types.int64, 2, "C")
    kernel = cached_njit(_wide if itemsize == 8 else _narrow, f"bytes{itemsize}")
    return kernel.compile((carrier, types.int64, types.int64, table, table, table))


@cache
def _carrier() -> Any:
    return cached_njit(_carry, "digits").compile(
        (types.Array(types.int64, 2, "C"), types.intp, types.Array(types.uint8, 2, "C"))
    )


def _pieces(view: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """A view (segments, rows, length) cut so that no row has more than LIMIT values in a piece."""
    segments, _, length = view.shape
    step = max(1, LIMIT // max(1, length))
    for s in range(0, segments, step):
        for i in range(0, length, LIMIT):
            yield view[s : s + step, :, i : i + LIMIT]


def _in_memory_order(view: NDArray[Any]) -> NDArray[Any]:
    """A view (segments, rows, length) as (outer, segments, rows, length): where neighbouring rows lie closer
    together than the neighbours in a row, as in channels-last maps, the rows come innermost."""
    _, rows, length = view.shape
    if rows > 1 and length > 1 and abs(view.strides[1]) < abs(view.strides[2]):
        return view.transpose(2, 0, 1)[..., np.newaxis]
    return view[np.newaxis]


def _integers(digits: NDArray[np.int64], width: int) -> list[int]:
    """One integer a row of digits; the digits are zeroed."""
    size = digits.shape[1] * width
    out = np.empty((len(digits), size), dtype=np.uint8)
    _carrier()(digits, width, out)
    data = out.tobytes()
    return [int.from_bytes(data[i : i + size], "little", signed=True) for i in range(0, len(data), size)]


def _scaled(count: int, special: list[int], s1: int, s2: int, exponent: int) -> ExactSums:
    nan, posinf, neginf = special
    if not s2:
        return ExactSums(count, nan, posinf, neginf, 0, 0, 0)
    shift = ((s2 & -s2).bit_length() - 1) >> 1
    if s1:
        shift = min(shift, (s1 & -s1).bit_length() - 1)
    return ExactSums(count, nan, posinf, neginf, s1 >> shift, s2 >> 2 * shift, exponent + shift)


def _rows(view: NDArray[Any], fmt: Format) -> Iterator[ExactSums]:
    """The sums of at most ROWS rows of a view (segments, rows, length) of integers that hold the bits."""
    segments, rows, length = view.shape
    fraction, field = fmt.precision - 1, fmt.emax - fmt.emin + 2
    top = field >> 3
    wide = fmt.precision > 24
    # Beyond the highest digit that a value reaches, 64 bits take the carries.
    digits = np.zeros((rows, top + (4 if wide else 0) + 9), dtype=np.int64)
    squares = np.zeros((rows, top + (6 if wide else 2) + 5), dtype=np.int64)
    special = np.zeros((rows, 3), dtype=np.int64)
    s1, s2 = [0] * rows, [0] * rows
    for piece in _pieces(view):
        _adder(view.itemsize)(_in_memory_order(piece), fraction, field, digits, squares, special)
        s1 = list(map(add, s1, _integers(digits, 1)))
        s2 = list(map(add, s2, _integers(squares, 2)))
    exponent = fmt.emin - fraction - 1
    for counted, total, square in zip(special.tolist(), s1, s2, strict=True):
        yield _scaled(segments * length, counted, total, square, exponent)


def exact_sums(view: ArrayLike) -> list[ExactSums]:
    """The exact sums of x and x^2 over every row of a view.

    Parameters
    ----------
    view : array (segments, rows, length) of float16, bfloat16 (ml_dtypes), float32 or float64, of any
        strides; it is not copied. Row r holds the values view[:, r, :]. Four dimensions (blocks, segments,
        rows, length) stand for the blocks' rows one after the other.

    Returns
    -------
    list of ExactSums, one a row, in the rows' order. Every finite value counts in full, subnormal numbers and
    numbers 600 orders of magnitude apart included; NaN and infinities are counted apart.

    Raises
    ------
    TypeError
        The dtype is not supported.
    ValueError
        The view has neither three nor four dimensions.
    """
    array, fmt = rows_of(view)
    bits = array.view(_BITS[array.itemsize])
    return [
        sums for block in bits for r in range(0, block.shape[1], ROWS) for sums in _rows(block[:, r : r + ROWS], fmt)
    ]
