"""Exact sums of x and x^2 over the rows of a view: no rounding anywhere. How: see `superaccumulator`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numpy.typing import ArrayLike, NDArray

from .formats import FORMATS, Format
from .jit import cached_njit
from .run import rows_of
from .superaccumulator import BLOCK, carry, sweep
from .threads import WORTHWHILE, get_threads, run_all
from .tiles import CARRIERS, contiguous, held, onward, rows_together

__all__ = ["ExactSums", "exact_row", "exact_sums", "joined"]

# Values that a row of digits takes before it is emptied: each adds less than 2^34 to a digit of 63 bits.
LIMIT = 2**28
# Rows that are summed side by side: their digits stay in the second-level cache.
ROWS = 256


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


# The integers that hold a format's bits, by the format's bytes.
_BITS = {2: np.int16, 4: np.int32, 8: np.int64}
_INTEGERS: dict[int, Any] = {2: types.int16, 4: types.int32, 8: types.int64}


@cache
def _kernel(storage: str) -> Any:
    fmt = FORMATS[storage]
    value, integer = CARRIERS[storage][1], _INTEGERS[fmt.dtype.itemsize]
    views = [types.Array(kind, 3, "A", readonly=True) for kind in (value, integer)]
    buffers = [types.Array(kind, 3, "A") for kind in (value, integer)]
    table = types.Array(types.int64, 2, "C")
    numbers = (types.boolean, types.boolean, types.intp, types.int64, types.int64, types.int64)
    return cached_njit(sweep, f"exact-{storage}").compile((*views, *buffers, *numbers, table, table, table))


@cache
def _carry() -> Any:
    return cached_njit(carry, "digits").compile(
        (types.Array(types.int64, 2, "C"), types.intp, types.Array(types.uint8, 2, "C"))
    )


def _pieces(view: NDArray[Any], limit: int) -> Iterator[NDArray[Any]]:
    """A view (segments, rows, length) cut so that no row has more than `limit` values in a piece."""
    segments, _, length = view.shape
    step = max(1, limit // max(1, length))
    for s in range(0, segments, step):
        for i in range(0, length, limit):
            yield view[s : s + step, :, i : i + limit]


def joined(parts: Iterable[ExactSums]) -> ExactSums:
    """The sums of several samples together; of none, those of no values."""
    rows = list(parts)
    exponent = min((row.exponent for row in rows if row.s2), default=0)
    s1 = sum(row.s1 << (row.exponent - exponent) for row in rows if row.s2)
    s2 = sum(row.s2 << 2 * (row.exponent - exponent) for row in rows if row.s2)
    special = [sum(row.nan for row in rows), sum(row.posinf for row in rows), sum(row.neginf for row in rows)]
    return _scaled(sum(row.count for row in rows), special, s1, s2, exponent)


def _scaled(count: int, special: list[int], s1: int, s2: int, exponent: int) -> ExactSums:
    nan, posinf, neginf = special
    if not s2:
        return ExactSums(count, nan, posinf, neginf, 0, 0, 0)
    shift = ((s2 & -s2).bit_length() - 1) >> 1
    if s1:
        shift = min(shift, (s1 & -s1).bit_length() - 1)
    return ExactSums(count, nan, posinf, neginf, s1 >> shift, s2 >> 2 * shift, exponent + shift)


def _integers(digits: NDArray[np.int64], width: int, out: NDArray[np.uint8]) -> list[int]:
    """One integer a row of digits, by way of the bytes `out`; the digits are zeroed."""
    _carry()(digits, width, out)
    data, size = out.tobytes(), out.shape[1]
    return [int.from_bytes(data[i : i + size], "little", signed=True) for i in range(0, len(data), size)]


class _Digits:
    """The digits of some rows of a format, and the kernels that fill and empty them."""

    def __init__(self, fmt: Format, rows: int, together: int) -> None:
        self.carrier, self.integer = CARRIERS[fmt.name][0], _BITS[fmt.dtype.itemsize]
        self.unit = fmt.emin - fmt.precision
        self.shape = (fmt.precision - 1, fmt.emax - fmt.emin + 2, self.unit)  # fraction, largest field
        top = self.shape[1] >> 3
        wide = fmt.precision > 24
        # Beyond the highest digit that a value reaches, 64 bits take the carries.
        self.digits = np.zeros((rows, top + (4 if wide else 0) + 9), dtype=np.int64)
        self.squares = np.zeros((rows, top + (6 if wide else 2) + 5), dtype=np.int64)
        self.special = np.zeros((rows, 3), dtype=np.int64)
        self.together = together
        self.buffer = held(together, BLOCK, self.integer)
        self.values = self.buffer.view(self.carrier)
        self.kernel = _kernel(fmt.name)
        self.bytes = [np.empty((rows, t.shape[1] * w), np.uint8) for t, w in ((self.digits, 1), (self.squares, 2))]

    def add(self, piece: NDArray[Any], direct: bool) -> None:
        """Add the rows of a piece (segments, rows, length), whose values lie next to each other if `direct`."""
        views = (piece.view(self.carrier), piece.view(self.integer), self.values, self.buffer)
        self.kernel(*views, direct, onward(piece), self.together, *self.shape, self.digits, self.squares, self.special)

    def empty(self) -> tuple[list[int], list[int], list[list[int]]]:
        """The sums of x and of x^2 of each row, in units of 2^unit and 4^unit, and what is counted and not summed.
        The digits are zeroed."""
        s1 = _integers(self.digits, 1, self.bytes[0])
        s2 = _integers(self.squares, 2, self.bytes[1])
        special = self.special.tolist()
        self.special[:] = 0
        return s1, s2, special


def _sums(piece: NDArray[Any], fmt: Format) -> tuple[list[int], list[int], list[list[int]]]:
    """What `_Digits.empty` gives for the rows of a piece."""
    together = rows_together(piece)
    table = _Digits(fmt, piece.shape[1], together)
    if piece.size:
        table.add(piece, contiguous(piece) and together == 1)
    return table.empty()


# Digits of one row, by format, between two calls of `exact_row`.
_ONE: dict[str, _Digits] = {}


def exact_row(x: NDArray[Any], fmt: Format) -> ExactSums:
    """`exact_sums` of all values of one array, with little else around it.

    Parameters
    ----------
    x : array of any shape, C-contiguous, of native byte order; not checked.
    fmt : its format.
    """
    if x.size >= WORTHWHILE:
        return exact_sums(x.reshape(1, 1, -1))[0]
    # Taken out while in use: neither another thread nor an interrupted call can leave it half filled.
    table = _ONE.pop(fmt.name, None) or _Digits(fmt, 1, 1)
    table.add(x.reshape(1, 1, -1), True)
    s1, s2, special = table.empty()
    _ONE[fmt.name] = table
    return _scaled(x.size, special[0], s1[0], s2[0], table.unit)


def _rows(view: NDArray[Any], fmt: Format, threads: int) -> Iterator[ExactSums]:
    """The sums of at most ROWS rows of a view (segments, rows, length)."""
    segments, rows, length = view.shape
    n = segments * length
    share = -(-n // threads // BLOCK) * BLOCK
    parts = run_all(lambda piece: _sums(piece, fmt), _pieces(view, min(LIMIT, max(share, BLOCK))), threads)
    for r in range(rows):
        special = [sum(part[2][r][kind] for part in parts) for kind in range(3)]
        s1, s2 = sum(part[0][r] for part in parts), sum(part[1][r] for part in parts)
        yield _scaled(n, special, s1, s2, fmt.emin - fmt.precision)


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
    threads = get_threads() if array.size >= WORTHWHILE else 1
    groups = [part[:, r : r + ROWS] for part in array for r in range(0, part.shape[1], ROWS)]
    if len(groups) >= threads:  # a thread takes whole rows
        found = run_all(lambda group: list(_rows(group, fmt, 1)), groups, threads)
    else:
        found = [list(_rows(group, fmt, threads)) for group in groups]
    return [row for rows in found for row in rows]
