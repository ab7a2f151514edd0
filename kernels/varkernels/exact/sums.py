"""Exact sums of x and x^2 over the rows of a view: no rounding anywhere. How: see `accumulator`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..blocking import BLOCK, CARRIERS, contiguous, held, onward, rows_together
from ..formats import Format
from ..shipped import kernel as find
from ..threads import WORTHWHILE, get_threads, run_all
from ..views import rows_of

__all__ = [
    "Digits",
    "ExactSums",
    "consistent",
    "exact_sums",
    "integer_sums",
    "joined",
    "kernel",
    "less",
    "sweep_into",
    "times",
]

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


@cache
def kernel(name: str) -> Any:
    """A compiled kernel of the exact sums, see `kernels`."""
    return find(f"exact-{name}", "exact.kernels", name)


def pieces_of(view: NDArray[Any], limit: int) -> Iterator[NDArray[Any]]:
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
    return integer_sums(sum(row.count for row in rows), special, s1, s2, exponent)


def times(sums: ExactSums, weight: int) -> ExactSums:
    """The sums of a sample in which every value is there `weight` times as often; with -1, what takes it away."""
    special = [sums.nan * weight, sums.posinf * weight, sums.neginf * weight]
    return integer_sums(sums.count * weight, special, sums.s1 * weight, sums.s2 * weight, sums.exponent)


def consistent(sums: ExactSums) -> bool:
    """Whether there are values with this count and these sums, as far as Cauchy's (sum x)^2 <= n sum x^2 tells."""
    finite = sums.count - sums.nan - sums.posinf - sums.neginf
    if min(sums.nan, sums.posinf, sums.neginf, finite, sums.s2) < 0:
        return False
    return finite * sums.s2 >= sums.s1 * sums.s1 and bool(finite or not sums.s2)


def less(sums: ExactSums, other: ExactSums) -> ExactSums:
    """The sums without the values of another sample.

    Raises
    ------
    ValueError
        No values have what would be left.
    """
    exponent = min((row.exponent for row in (sums, other) if row.s2), default=0)
    shifts = [row.exponent - exponent if row.s2 else 0 for row in (sums, other)]
    left = ExactSums(
        sums.count - other.count,
        sums.nan - other.nan,
        sums.posinf - other.posinf,
        sums.neginf - other.neginf,
        (sums.s1 << shifts[0]) - (other.s1 << shifts[1]),
        (sums.s2 << 2 * shifts[0]) - (other.s2 << 2 * shifts[1]),
        exponent,
    )
    if not consistent(left):
        raise ValueError("these values were not there: no values have the count and the sums that would be left")
    return integer_sums(left.count, [left.nan, left.posinf, left.neginf], left.s1, left.s2, exponent)


def integer_sums(count: int, special: list[int], s1: int, s2: int, exponent: int) -> ExactSums:
    """The sums s1 2^exponent and s2 4^exponent in their one form; special: how many are NaN, +inf, -inf."""
    nan, posinf, neginf = special
    if not s2:
        return ExactSums(count, nan, posinf, neginf, 0, 0, 0)
    shift = ((s2 & -s2).bit_length() - 1) >> 1
    if s1:
        shift = min(shift, (s1 & -s1).bit_length() - 1)
    return ExactSums(count, nan, posinf, neginf, s1 >> shift, s2 >> 2 * shift, exponent + shift)


def integers_of(digits: NDArray[np.int64], width: int, out: NDArray[np.uint8]) -> list[int]:
    """One integer a row of digits, by way of the bytes `out`; the digits are zeroed."""
    kernel("digits")(digits, width, out)
    data, size = out.tobytes(), out.shape[1]
    return [int.from_bytes(data[i : i + size], "little", signed=True) for i in range(0, len(data), size)]


class Digits:
    """The digits of some rows of a format, and the kernels that fill and empty them."""

    def __init__(self, fmt: Format, rows: int, together: int) -> None:
        self.carrier, self.integer = CARRIERS[fmt.name], _BITS[fmt.dtype.itemsize]
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
        self.kernel = kernel(fmt.name)
        self.bytes = [np.empty((rows, t.shape[1] * w), np.uint8) for t, w in ((self.digits, 1), (self.squares, 2))]

    def add(self, piece: NDArray[Any], direct: bool) -> None:
        """Add the rows of a piece (segments, rows, length), whose values lie next to each other if `direct`."""
        views = (piece.view(self.carrier), piece.view(self.integer), self.values, self.buffer)
        self.kernel(*views, direct, onward(piece), self.together, *self.shape, self.digits, self.squares, self.special)

    def empty(self) -> tuple[list[int], list[int], list[list[int]]]:
        """The sums of x and of x^2 of each row, in units of 2^unit and 4^unit, and what is counted and not summed.
        The digits are zeroed."""
        s1 = integers_of(self.digits, 1, self.bytes[0])
        s2 = integers_of(self.squares, 2, self.bytes[1])
        special = self.special.tolist()
        self.special[:] = 0
        return s1, s2, special


# Digits between two calls, by format, rows and how many are gathered together: for one row and for ROWS.
_KEPT: dict[tuple[str, int, int], Digits] = {}


def _taken(fmt: Format, rows: int, together: int) -> Digits:
    """Digits, all zero. Taken out while in use: no other thread and no interrupted call can leave them half filled."""
    return _KEPT.pop((fmt.name, rows, together), None) or Digits(fmt, rows, together)


def _given_back(fmt: Format, digits: Digits) -> None:
    rows = len(digits.digits)
    if rows in (1, ROWS):
        _KEPT[fmt.name, rows, digits.together] = digits


def _filled(piece: NDArray[Any], fmt: Format) -> Digits:
    """The digits of the rows of a piece (segments, rows, length)."""
    together = rows_together(piece)
    digits = _taken(fmt, piece.shape[1], together)
    if piece.size:
        digits.add(piece, contiguous(piece) and together == 1)
    return digits


def _emptied(piece: NDArray[Any], fmt: Format) -> tuple[list[int], list[int], list[list[int]]]:
    """What `Digits.empty` gives for the rows of a piece."""
    digits = _filled(piece, fmt)
    found = digits.empty()
    _given_back(fmt, digits)
    return found


class Sink(Protocol):
    """What takes the sums of rows, in any order of the rows and from any thread."""

    def add(self, begin: int, digits: Digits) -> None:
        """The rows from `begin` on; it leaves the digits zero."""

    def put(self, row: int, sums: ExactSums) -> None:
        """One row."""


def _sweep_group(view: NDArray[Any], fmt: Format, threads: int, begin: int, sink: Sink) -> None:
    """At most ROWS rows of a view (segments, rows, length), the first of which is the row `begin` of all."""
    segments, rows, length = view.shape
    n = segments * length
    share = -(-n // threads // BLOCK) * BLOCK
    pieces = list(pieces_of(view, min(LIMIT, max(share, BLOCK))))
    if len(pieces) == 1:
        digits = _filled(pieces[0], fmt)
        sink.add(begin, digits)
        _given_back(fmt, digits)
        return
    parts = run_all(lambda piece: _emptied(piece, fmt), pieces, threads)
    for r in range(rows):
        special = [sum(part[2][r][kind] for part in parts) for kind in range(3)]
        s1, s2 = sum(part[0][r] for part in parts), sum(part[1][r] for part in parts)
        sink.put(begin + r, integer_sums(n, special, s1, s2, fmt.emin - fmt.precision))


AnySink = TypeVar("AnySink", bound=Sink)


def sweep_into(view: ArrayLike, sink_of: Callable[[NDArray[np.int64]], AnySink]) -> AnySink:
    """A sink made from the rows' counts, with the sums of every row of a view; see `exact_sums`."""
    array, fmt = rows_of(view)
    threads = get_threads() if array.size >= WORTHWHILE else 1
    blocks, segments, rows, length = array.shape
    sink = sink_of(np.full(blocks * rows, segments * length, dtype=np.int64))
    groups = [(b * rows + r, array[b, :, r : r + ROWS]) for b in range(blocks) for r in range(0, rows, ROWS)]
    if len(groups) >= threads:  # a thread takes whole rows
        run_all(lambda group: _sweep_group(group[1], fmt, 1, group[0], sink), groups, threads)
    else:
        for begin, group in groups:
            _sweep_group(group, fmt, threads, begin, sink)
    return sink


class _Sums:
    """A sink that makes a list of them."""

    def __init__(self, count: NDArray[np.int64]) -> None:
        self.count = count.tolist()
        self.rows: list[Any] = [None] * len(count)

    def add(self, begin: int, digits: Digits) -> None:
        s1, s2, special = digits.empty()
        for r in range(len(s1)):
            self.rows[begin + r] = integer_sums(self.count[begin + r], special[r], s1[r], s2[r], digits.unit)

    def put(self, row: int, sums: ExactSums) -> None:
        self.rows[row] = sums


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
    return sweep_into(view, _Sums).rows
