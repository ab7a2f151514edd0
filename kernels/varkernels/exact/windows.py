"""The exact sums of every window of a series, in a time that does not depend on the window's length.

A window's sums are those of the window before it, plus the value that enters, minus the one that leaves; in integers,
nothing is lost so. Values are cut into limbs of 32 bits on one grid, a chunk of neighbours at a time, and cumulative
sums of these limbs are the sums of all windows that end in the chunk. Grid and number of limbs follow from the values
of the chunk and from the window before it, so that a large value costs nothing once it has left.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .sums import ExactSums, integer_sums
from .table import SumTable

__all__ = ["window_sums"]

# Values of a chunk: its arrays stay in the second-level cache, and the sums of as many limbs in int64.
_CHUNK = 2**13
# Beyond all exponents.
_FAR = 1 << 20

_LOW, _BITS, _ONE = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(1)


class _Values(NamedTuple):
    """Finite values as odd integers times powers of two; 0 for what is not finite. All are (rows, values).

    special : (rows, values, 3), which are NaN, +inf, -inf; None: none.
    """

    negative: NDArray[np.bool_]
    size: NDArray[np.uint64]
    exponent: NDArray[np.int64]
    special: NDArray[np.bool_] | None

    def lowest(self) -> NDArray[np.int64]:
        """The least exponent of each row, `_FAR` where all values are 0."""
        found: NDArray[np.int64] = np.where(self.size != 0, self.exponent, _FAR).min(axis=1)
        return found

    def above(self) -> NDArray[np.int64]:
        """For each row, an exponent of a power of two above all its values; -`_FAR` where all are 0."""
        ends = self.exponent + np.frexp(self.size.astype(np.float64))[1]
        found: NDArray[np.int64] = np.where(self.size != 0, ends, -_FAR).max(axis=1)
        return found


def _values(array: NDArray[Any]) -> _Values:
    special = None
    if array.dtype.kind in "biu":
        numbers = array.astype(np.uint64 if array.dtype.kind == "u" else np.int64)
        negative = numbers < 0
        size = (numbers if array.dtype.kind == "u" else np.abs(numbers)).view(np.uint64)
        exponent = np.zeros(array.shape, dtype=np.int64)
    else:
        with np.errstate(invalid="ignore"):  # a signalling NaN
            bits = array.astype(np.float64).view(np.int64)
        negative = bits < 0
        field = (bits >> 52) & 0x7FF
        fraction = bits & ((1 << 52) - 1)
        apart = field == 0x7FF
        if apart.any():
            infinite = apart & (fraction == 0)
            special = np.stack([apart & ~infinite, infinite & ~negative, infinite & negative], axis=2)
            fraction[apart], field[apart] = 0, 0
        size = (fraction | (field != 0).astype(np.int64) << 52).view(np.uint64)
        exponent = np.maximum(field, 1) - 1075
    lowest = (size & (~size + _ONE)).astype(np.float64)
    zeros = np.maximum((lowest.view(np.int64) >> 52) - 1023, 0)
    return _Values(negative, size >> zeros.view(np.uint64), exponent + zeros, special)


def _cut(size: NDArray[np.uint64]) -> tuple[list[NDArray[np.uint64]], list[NDArray[np.uint64]]]:
    """Limbs of integers, and of their squares, the lowest first; only as many as the largest one needs."""
    if not int(size.max()) >> 32:
        square = size * size
        return [size], [square & _LOW, square >> _BITS]
    low, high = size & _LOW, size >> _BITS
    both, first, last = low * high, low * low, high * high
    second = (first >> _BITS) + ((both & _LOW) << _ONE)
    third = (second >> _BITS) + ((both >> _BITS) << _ONE) + (last & _LOW)
    return [low, high], [first & _LOW, second & _LOW, third & _LOW, (third >> _BITS) + (last >> _BITS)]


class _Sums:
    """Cumulative sums of integers in rows, in limbs of 32 bits.

    Parameters
    ----------
    bits : of the largest integer. before : the sums so far, one a row. width : how many integers come in each row.
    """

    def __init__(self, bits: int, before: list[int], width: int) -> None:
        self.before, self.width = before, width
        # Each value comes and goes; one more bit is the sign's.
        most = max(bits, *(value.bit_length() for value in before)) + (2 * width).bit_length() + 1
        self.count = most // 32 + 1
        # The highest parts of small integers are zero, and have to go somewhere.
        self.places = np.zeros((self.count + 5, len(before) * width), dtype=np.int64)

    def add(self, parts: list[NDArray[np.uint64]], shift: NDArray[np.int64], negative: NDArray[np.bool_]) -> None:
        """Add integers, in limbs, times 2^shift, or take them away."""
        columns = self.places.shape[1]
        at = (shift >> 5) * columns + np.arange(columns)
        bits = (shift & 31).view(np.uint64)
        places, sign = self.places.reshape(-1), 1 - 2 * negative.astype(np.int64)
        below: Any = None
        for part in parts:
            both = part << bits if below is None else part << bits | below
            places[at] += (both & _LOW).view(np.int64) * sign
            below = both >> _BITS
            at += columns
        places[at] += below.view(np.int64) * sign

    def limbs(self) -> NDArray[np.uint32]:
        """The sum up to each integer, (integers, limbs): two's complement."""
        found = np.empty((self.places.shape[1], self.count), dtype=np.uint32)
        start = np.frombuffer(
            b"".join(value.to_bytes(4 * self.count, "little", signed=True) for value in self.before), "<u4"
        ).reshape(len(self.before), self.count)
        over = np.zeros((len(self.before), self.width), dtype=np.int64)
        for j in range(self.count):
            place = self.places[j].reshape(over.shape)
            place[:, 0] += start[:, j]
            np.cumsum(place, axis=1, out=place)
            place += over
            found[:, j] = (place & 0xFFFFFFFF).reshape(-1)
            np.right_shift(place, 32, out=over)
        return found


def _packed(limbs: NDArray[np.uint32], out: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Set a table's limbs, sign extended, and find the rows that do not fit."""
    size, room = limbs.shape[1], out.shape[1]
    out[:, : min(size, room)] = limbs[:, :room]
    sign = np.uint32(0) - (out[:, min(size, room) - 1] >> np.uint32(31))
    out[:, size:] = sign[:, np.newaxis]
    wide: NDArray[np.bool_] = (limbs[:, room:] != sign[:, np.newaxis]).any(axis=1)
    return wide


def _integer(limbs: NDArray[np.uint32]) -> int:
    return int.from_bytes(limbs.tobytes(), "little", signed=True)


class _Rows:
    """The windows of some rows, chunk after chunk."""

    def __init__(self, rows: NDArray[Any], window: int) -> None:
        self.rows, self.window = rows, window
        # Of the last windows so far.
        self.sums = [(0, 0, 0)] * len(rows)
        self.special = np.zeros((len(rows), 3), dtype=np.int64)

    def table(self, begin: int, end: int) -> SumTable:
        """The sums of the windows that end at begin .. end - 1, row after row. Either all of them are full, or none."""
        changes = [(1, _values(self.rows[:, begin:end]))]
        if begin >= self.window:
            changes.append((-1, _values(self.rows[:, begin - self.window : end - self.window])))
        count, width = len(self.rows), end - begin
        unit = np.array([exponent if s2 else _FAR for _, s2, exponent in self.sums])
        for _, values in changes:
            unit = np.minimum(unit, values.lowest())
        unit[unit == _FAR] = 0
        up = [exponent - u if s2 else 0 for (_, s2, exponent), u in zip(self.sums, unit.tolist(), strict=True)]
        bits = max(0, *(int((values.above() - unit).max()) for _, values in changes))
        first = _Sums(bits, [s1 << k for (s1, _, _), k in zip(self.sums, up, strict=True)], width)
        second = _Sums(2 * bits, [s2 << 2 * k for (_, s2, _), k in zip(self.sums, up, strict=True)], width)
        special = np.zeros((count, width, 3), dtype=np.int64)
        for sign, values in changes:
            shift = np.where(values.size != 0, values.exponent - unit[:, np.newaxis], 0).reshape(-1)
            parts, squares = _cut(values.size.reshape(-1))
            first.add(parts, shift, values.negative.reshape(-1) ^ (sign < 0))
            second.add(squares, 2 * shift, np.full(shift.shape, sign < 0))
            if values.special is not None:
                special += sign * values.special
        found = SumTable(np.tile(np.minimum(np.arange(begin, end) + 1, self.window), count))
        special[:, 0] += self.special
        special = special.cumsum(axis=1)
        self.special = special[:, -1]
        found.special = special.reshape(-1, 3)
        s1, s2 = first.limbs(), second.limbs()
        found.exponent[:] = np.repeat(unit, width)
        found.wide[:] = _packed(s1, found.s1) | _packed(s2, found.s2)

        def sums(place: int) -> ExactSums:
            special, exponent = found.special[place].tolist(), int(unit[place // width])
            return integer_sums(int(found.counts[place]), special, _integer(s1[place]), _integer(s2[place]), exponent)

        for place in np.flatnonzero(found.wide).tolist():
            found.put(place, sums(place))
        last = [sums(place) for place in range(width - 1, count * width, width)]
        self.sums = [(each.s1, each.s2, each.exponent) for each in last]
        return found


def window_sums(rows: NDArray[Any], window: int) -> Iterator[tuple[slice, slice, SumTable]]:
    """The exact sums of the `window` values up to each value, or of all up to it where there are fewer.

    Parameters
    ----------
    rows : (rows, values) of any real dtype that has moments.

    Returns
    -------
    An iterator of slices, of rows and of values, with the table of the windows that end there, row after row. The
    memory of a table does not grow with the rows or with the window.
    """
    count, length = rows.shape
    together = max(1, _CHUNK // max(1, length))
    for r in range(0, count, together):
        part = _Rows(rows[r : r + together], window)
        begin = 0
        while begin < length:
            end = min(begin + _CHUNK, length if begin >= window else min(window, length))
            yield slice(r, r + together), slice(begin, end), part.table(begin, end)
            begin = end
