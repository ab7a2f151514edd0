"""Exact sums as vectors of int64 of one length, which merge by plain addition: of all_reduce, MPI, SQL, or numpy.

Version 1 of the form, on the grid of a dtype: count, how many are NaN, +inf and -inf, then the limbs of sum x and those
of sum x^2. A limb has 32 bits, the lowest first; the last one of each sum has its sign. The lowest limb of sum x has
the weight of the least number of the dtype (2^-149 for float32, 1 for integers), that of sum x^2 its square. A sum has
64 bits more than the largest value or square, for 2^63 values. An int64 holds the sum of 2^31 limbs: so many vectors
may be added before their limbs must be carried, and `kept_of` carries them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..exact.rounding_one import NOTHING
from ..exact.sums import ExactSums, consistent, integer_sums
from ..exact.table import SumTable
from ..formats import FLOAT64, FORMATS, Format, format_of
from .inputs import named_as_numpy
from .states import Kept, Rows, State, Whole

__all__ = ["kept_of", "vector_of"]

_HEAD = 4  # count, NaN, +inf, -inf


class Grid(NamedTuple):
    """What the numbers of a dtype are multiples of, 2^unit, and how many limbs their sums and sums of squares take."""

    name: str
    unit: int
    first: int
    second: int

    @property
    def length(self) -> int:
        """Numbers of a vector."""
        return _HEAD + self.first + self.second


def _grid(name: str, unit: int, bits: int) -> Grid:
    """bits: of the largest number, in units."""
    return Grid(name, unit, -(-(bits + 64) // 32), -(-(2 * bits + 64) // 32))


def _grid_of(dtype: Any) -> Grid:
    """The grid of one of the four formats, or of integers and bool.

    Raises
    ------
    TypeError
        The dtype is neither.
    """
    plain = named_as_numpy(dtype)
    try:
        fmt: Format = format_of(plain)
    except TypeError:
        try:
            kind = np.dtype(plain).kind if plain is not None else ""
        except TypeError:
            kind = ""
        if kind not in ("b", "i", "u"):
            raise TypeError(
                f"dtype={dtype!r} has no vectors: use float16, bfloat16, float32, float64, or an integer's"
            ) from None
        return _grid("int64", 0, 64)
    unit = fmt.emin - fmt.precision + 1
    return _grid(fmt.name, unit, fmt.emax + 1 - unit)


def _limbs(value: int, count: int) -> NDArray[np.int64]:
    found = np.frombuffer(value.to_bytes(4 * count, "little", signed=True), "<u4").astype(np.int64)
    found[-1] -= (found[-1] >> 31) << 32  # its sign
    return found


def _vectors_of(rows: Iterable[ExactSums], grid: Grid) -> NDArray[np.int64]:
    """A vector for each row, (rows, grid.length).

    Raises
    ------
    ValueError
        A value is no multiple of the grid's unit, or a sum is too large for it.
    """
    found = []
    for row in rows:
        shift = row.exponent - grid.unit if row.s2 else 0
        if shift < 0:
            raise ValueError(f"a value is no multiple of 2^{grid.unit}, as those of {grid.name} are: use a wider dtype")
        head = np.array([row.count, row.nan, row.posinf, row.neginf], dtype=np.int64)
        try:
            found += [head, _limbs(row.s1 << shift, grid.first), _limbs(row.s2 << 2 * shift, grid.second)]
        except OverflowError:
            raise ValueError(f"a value is too large for {grid.name}: use a wider dtype") from None
    return np.concatenate([np.zeros(0, dtype=np.int64), *found]).reshape(-1, grid.length)


def _shifted(limbs: NDArray[np.uint32], shift: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], Any]:
    """Rows of limbs times 2^shift, in `size` limbs, and which of them surely fit."""
    sign = np.uint32(0) - (limbs[:, -1] >> np.uint32(31))
    used = limbs.shape[1] - (limbs[:, ::-1] == sign[:, np.newaxis]).cumprod(axis=1).sum(axis=1)
    jump, bits = shift >> 5, (shift & 31).astype(np.uint64)[:, np.newaxis]
    fits = (shift >= 0) & (used + jump + 1 < size)
    places = np.where(fits, jump, 0)
    # Zeros below, the sign above.
    padded = np.zeros((len(limbs), limbs.shape[1] + 2 * size + 1), dtype=np.uint64)
    padded[:, size + 1 : size + 1 + limbs.shape[1]] = limbs
    padded[:, size + 1 + limbs.shape[1] :] = sign[:, np.newaxis]
    at = np.arange(size + 1, 2 * size + 1) - places[:, np.newaxis]
    above, below = np.take_along_axis(padded, at, axis=1), np.take_along_axis(padded, at - 1, axis=1)
    found = ((above << bits | below >> (np.uint64(32) - bits)) & np.uint64(0xFFFFFFFF)).view(np.int64)
    found[:, -1] -= (found[:, -1] >> 31) << 32
    return found, fits


def _vectors_of_table(table: SumTable, grid: Grid) -> NDArray[np.int64]:
    """`_vectors_of`, of all rows at once that are packed."""
    shift = np.where(table.s2.any(axis=1), table.exponent - grid.unit, 0)
    first, fits = _shifted(table.s1, shift, grid.first)
    second, fits_too = _shifted(table.s2, 2 * shift, grid.second)
    found = np.concatenate([table.counts[:, np.newaxis], table.special, first, second], axis=1)
    for row in np.flatnonzero(table.wide | ~fits | ~fits_too).tolist():
        found[row] = _vectors_of([table[row]], grid)[0]
    return found


def _carried(places: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Sums of limbs as limbs, two's complement, and which of them fit."""
    found = np.empty(places.shape, dtype=np.uint32)
    over = np.zeros(len(places), dtype=np.int64)
    for j in range(places.shape[1]):
        value = places[:, j] + over
        found[:, j] = value & 0xFFFFFFFF
        over = value >> 32
    return found, over == -(found[:, -1] >> np.uint32(31)).astype(np.int64)


def _low(limbs: NDArray[np.uint32], from_: NDArray[np.int64], out: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Set `out` to the limbs from a place of each row on, sign extended; which rows fit."""
    size, room = limbs.shape[1], out.shape[1]
    sign = np.uint32(0) - (limbs[:, -1] >> np.uint32(31))
    padded = np.concatenate([limbs, np.repeat(sign[:, np.newaxis], room, axis=1)], axis=1)
    at = np.minimum(from_[:, np.newaxis] + np.arange(room), size + room - 1)
    out[:] = np.take_along_axis(padded, at, axis=1)
    beyond = np.arange(size) >= from_[:, np.newaxis] + room
    left = ~(beyond & (limbs != sign[:, np.newaxis])).any(axis=1)
    fits: NDArray[np.bool_] = left & (out[:, -1] >> np.uint32(31) == sign & np.uint32(1))
    return fits


def _table_of(vectors: NDArray[np.int64], grid: Grid) -> SumTable:
    """`_sums_of`, of all rows at once that can be packed."""
    found = SumTable(vectors[:, 0].copy())
    found.special = vectors[:, 1:_HEAD].copy()
    first, right = _carried(vectors[:, _HEAD : _HEAD + grid.first])
    second, right_too = _carried(vectors[:, _HEAD + grid.first :])
    lowest1 = np.where(first.any(axis=1), (first != 0).argmax(axis=1), grid.first)
    lowest2 = np.where(second.any(axis=1), (second != 0).argmax(axis=1), 0)
    place = np.minimum(lowest1, lowest2 >> 1)
    found.exponent[:] = np.where(second.any(axis=1), grid.unit + 32 * place, 0)
    fits = _low(first, place, found.s1)
    fits &= _low(second, 2 * place, found.s2)
    for row in np.flatnonzero(~(fits & right & right_too & found.surely_consistent())).tolist():
        found.put(row, _sums_of(vectors[row : row + 1], grid)[0])
    return found


def _sums_of(vectors: NDArray[np.int64], grid: Grid) -> list[ExactSums]:
    """The sums that vectors (rows, grid.length) hold, or sums of such vectors.

    Raises
    ------
    ValueError
        No values have the sums of a row.
    """
    found = []
    for row in vectors.tolist():
        s1, s2 = (
            sum(limb << 32 * place for place, limb in enumerate(part))
            for part in (row[_HEAD : _HEAD + grid.first], row[_HEAD + grid.first :])
        )
        count, nan, posinf, neginf = row[:_HEAD]
        if not consistent(ExactSums(count, nan, posinf, neginf, s1, s2, grid.unit)):
            raise ValueError(
                "vector holds no moments: no values have such sums; more than 2^31 vectors may have been added"
            )
        found.append(integer_sums(count, [nan, posinf, neginf], s1, s2, grid.unit))
    return found


def vector_of(state: State | None, features: bool, dtype: Any) -> NDArray[np.int64]:
    """The vector of a state of exact sums, or one for each feature; see `Moments.to_vector`."""
    if state is not None and not isinstance(state, (Whole, Rows)):
        raise ValueError("these moments have no exact sums: use Moments() with the method 'exact'")
    grid = _grid_of(dtype)
    if state is None and features:
        raise ValueError("there are no values, and nothing tells the shape of the features")
    if isinstance(state, Rows):
        return _vectors_of_table(state.table, grid).reshape(*state.shape, grid.length)
    found: NDArray[np.int64] = _vectors_of([NOTHING if state is None else state.sums], grid)[0]
    return found


def kept_of(vector: ArrayLike, features: bool, dtype: Any) -> Kept:
    """The format and the state of vectors that were added; see `Moments.from_vector`."""
    grid = _grid_of(dtype)
    numbers = np.asarray(vector)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"vector has the dtype {numbers.dtype}, not int64")
    if numbers.shape[-1:] != (grid.length,) or (numbers.ndim > 1 and not features):
        shape = f"(features, {grid.length})" if features else f"({grid.length},)"
        raise ValueError(f"vector has the shape {numbers.shape}, and for {grid.name} it has to be {shape}")
    rows = numbers.reshape(-1, grid.length)
    fmt = FORMATS.get(grid.name, FLOAT64)
    if features:
        return fmt, Rows(numbers.shape[:-1], _table_of(rows.astype(np.int64, copy=False), grid))
    sums = _sums_of(rows, grid)
    return (fmt, Whole(sums[0])) if sums[0].count else (None, None)
