"""The statistics of each row of a norm: exact as integers, and as sums of float64 numbers for whole arrays.

A row is the set of values that share a mean. With n values, s1 = sum x and s2 = sum x^2 exact,

    mean = s1 / n,    v = (n s2 - s1^2) / n^2 + epsilon,    r = 1 / sqrt(v);

RMS norm has mean 0 and v = s2 / n + epsilon; given running statistics take the place of mean and variance. The mean
is kept as centre + rest: the centre is the nearest float64 number, so that x - centre is exact as a pair, and the rest
is a pair. r comes from an integer root of more than 120 bits. Both pairs have relative errors below 2^-105.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exact.sums import ExactSums
from ..exact.table import SumTable, exact_table
from .geometry import Geometry, cut
from .pairs import LOWEST, SAFE, Floats, Pair, difference, expansion, plus

__all__ = ["SLAB", "Rows", "exact_rows", "given_rows", "moved", "number_of", "slabs"]

# Values that are summed at a time.
SLAB = 2**17
_ROOT_BITS = 124


def number_of(value: Any, name: str = "epsilon") -> Fraction:
    """A finite number that is not negative, exact.

    Raises
    ------
    ValueError
        It is no such number.
    """
    try:
        found = Fraction(value.item() if isinstance(value, np.generic) else value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}={value!r}: give a finite number, such as 1e-5") from None
    if found < 0:
        raise ValueError(f"{name}={value!r} is negative: give 0 or more")
    return found


def moved(array: NDArray[Any], axes: tuple[int, ...]) -> NDArray[Any]:
    """An array as (1, rows, length): the values along some axes are a row's, the rows are in memory order."""
    last = np.moveaxis(array, axes, range(array.ndim - len(axes), array.ndim))
    rows = math.prod(last.shape[: array.ndim - len(axes)])
    return np.ascontiguousarray(last).reshape(1, rows, -1 if rows else 0)


@dataclass(frozen=True, eq=False)
class Rows:
    """The statistics of the rows, in arrays of the shape `Geometry.kept`.

    Attributes
    ----------
    centre, rest, r : see the module. known : where there are statistics: all values finite, v > 0.
    safe : where r and the mean are far from overflow and underflow.
    mean, v : functions from a row's number to the exact ones. count : values a row.
    """

    centre: Floats
    rest: Pair
    r: Pair
    known: NDArray[np.bool_]
    safe: NDArray[np.bool_]
    mean: Callable[[int], Fraction]
    v: Callable[[int], Fraction]
    count: int

    @property
    def numbers(self) -> NDArray[np.intp]:
        """The number of each row."""
        return np.arange(self.known.size).reshape(self.known.shape)

    def deviations(self, x: Floats, piece: tuple[slice, ...]) -> Pair:
        """x - mean of a piece: of its value an error of at most 3 u^2, and 2 u^2 of the rest."""
        return plus(difference(x, cut(self.centre, piece)), (-cut(self.rest[0], piece), -cut(self.rest[1], piece)))


def _power(value: Fraction, exponent: int) -> Fraction:
    return value * (Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent))


def _inverse_root(p: int, q: int) -> tuple[float, float]:
    """1 / sqrt(p / q) as a pair; p and q positive."""
    shift = max(0, _ROOT_BITS - (q.bit_length() - p.bit_length()) // 2)
    high, low = expansion(math.isqrt((q << 2 * shift) // p), 1, -shift, 2)
    return high, low


def _table(x: NDArray[Any], axes: tuple[int, ...]) -> SumTable:
    tables = [exact_table(moved(x[begin], axes)) for begin in slabs(x.shape)]
    if not tables:
        return SumTable(np.zeros(math.prod(n for a, n in enumerate(x.shape) if a not in axes), dtype=np.int64))
    return SumTable.together(tables) if 0 in axes else SumTable.stacked(tables)


def slabs(shape: tuple[int, ...]) -> list[slice]:
    """The first axis cut into slices of about `SLAB` values each."""
    step = max(1, SLAB // max(1, math.prod(shape[1:])))
    return [slice(k, k + step) for k in range(0, shape[0], step)]


def _rows(
    shape: tuple[int, ...],
    numbers: list[tuple[tuple[int, int, int], tuple[int, int]] | None],
    mean: Callable[[int], Fraction],
    v: Callable[[int], Fraction],
    count: int,
) -> Rows:
    """From mean (p, q, exponent) and v (p, q) of each row, None where there are none."""
    table = np.full((len(numbers), 5), np.nan)
    for k, found in enumerate(numbers):
        if found is not None:
            table[k] = (*expansion(*found[0], 3, LOWEST), *_inverse_root(*found[1]))
    known = np.array([found is not None for found in numbers], dtype=np.bool_).reshape(shape)
    columns = [np.ascontiguousarray(column).reshape(shape) for column in table.T]
    size = np.abs(columns[3])
    with np.errstate(invalid="ignore"):
        safe = (np.abs(columns[0]) <= SAFE) & np.isfinite(columns[2]) & (size >= 1 / SAFE) & (size <= SAFE)
    return Rows(columns[0], (columns[1], columns[2]), (columns[3], columns[4]), known, safe, mean, v, count)


def exact_rows(x: NDArray[Any], geometry: Geometry, epsilon: Fraction) -> Rows:
    """The statistics of the rows of an array in the geometry's shape, from its own values."""
    centred = geometry.norm != "rms"
    table = _table(x, geometry.axes)
    count = math.prod(geometry.shape[a] for a in geometry.axes)
    above, below = epsilon.as_integer_ratio()

    def numerator(sums: ExactSums) -> tuple[int, int, int]:
        """p, q and exponent of the variance, or of the mean square."""
        if centred:
            return count * sums.s2 - sums.s1 * sums.s1, count * count, 2 * sums.exponent
        return sums.s2, count, 2 * sums.exponent

    def numbers(sums: ExactSums) -> tuple[tuple[int, int, int], tuple[int, int]] | None:
        if sums.nan or sums.posinf or sums.neginf or not count:
            return None
        p, q, exponent = numerator(sums)
        up, down = max(0, exponent), max(0, -exponent)
        p, q = (p * below << up) + (above * q << down), q * below << down
        return ((sums.s1 if centred else 0, count, sums.exponent), (p, q)) if p else None

    def mean(k: int) -> Fraction:
        return _power(Fraction(table[k].s1, count), table[k].exponent) if centred else Fraction(0)

    def v(k: int) -> Fraction:
        p, q, exponent = numerator(table[k])
        return _power(Fraction(p, q), exponent) + epsilon

    return _rows(geometry.kept, [numbers(sums) for sums in table], mean, v, count)


def given_rows(mean: Floats, variance: Floats, epsilon: Fraction) -> Rows:
    """Given statistics, in arrays of one shape: those of a batch norm in evaluation."""
    means, variances = mean.ravel().tolist(), variance.ravel().tolist()

    def numbers(k: int) -> tuple[tuple[int, int, int], tuple[int, int]] | None:
        if not (math.isfinite(means[k]) and math.isfinite(variances[k])):
            return None
        found = Fraction(variances[k]) + epsilon
        return ((*means[k].as_integer_ratio(), 0), found.as_integer_ratio()) if found > 0 else None

    return _rows(
        mean.shape, [numbers(k) for k in range(len(means))], lambda k: Fraction(means[k]),
        lambda k: Fraction(variances[k]) + epsilon, 1,
    )  # fmt: skip
