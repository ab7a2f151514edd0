"""What is checked: an algorithm in a pair of formats; and the data and limits that the checks share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..algorithm import Algorithm
from ..dispatch import moments
from ..formats import Format
from ..row_moments import Moments

__all__ = [
    "CENTRE",
    "EXACT",
    "Subject",
    "benign",
    "bits_of",
    "exact_moments",
    "limits_of",
    "misses",
    "off",
    "rows_of_benign",
    "same",
]

# Every difference, quotient and product that a recurrence, a merge of halves or raw sums meet on the way is a
# small integer or half of one: the k-th value is the mean before it plus k times a whole number.
EXACT = ((4, 6), (4, 6, 2, 8), (4, 6, 2, 8, 0, 10, -2, 12), (-1, 1), (0.5, -1.5), (7, 7, 7, 7), (0, 0))
# Benign: of size 1, centred near 1/2, nothing to cancel. Multiples of 1/8, which every format holds.
_BENIGN = (12, -3, 7, 1, -8, 9, 16, -5, 2, 4, 11, -6, 0, 13, -1, 8)
CENTRE = 2.0


@dataclass(frozen=True)
class Subject:
    """An algorithm with one storage format and one accumulator.

    Attributes
    ----------
    algorithm : what is checked. storage, accumulator : formats of the values and of every operation.
    exact : as for `failures`.
    """

    algorithm: Algorithm
    storage: Format
    accumulator: Format
    exact: bool = True

    def __str__(self) -> str:
        return f"{self.algorithm.name}, {self.storage} values, {self.accumulator} accumulator"

    def store(self, values: Any) -> NDArray[Any]:
        """Numbers as an array of the storage format."""
        return self.storage.rounded(values)

    def run(self, view: NDArray[Any]) -> Moments:
        """The moments of a view's rows, in this accumulator; round the centre 2 where the algorithm needs one.

        Parameters
        ----------
        view : array (segments, rows, length) or (blocks, segments, rows, length) of the storage's dtype.
        """
        centre = CENTRE if self.algorithm.needs_centre else None
        return moments(view, self.algorithm, self.accumulator, centre=centre)

    def row(self, values: Any) -> Moments:
        """The moments of one row: numbers, stored in the storage format first."""
        return self.run(self.store(values).reshape(1, 1, -1))


# Numbers ----------------------------------------------------------------------------------------------------


def bits_of(array: NDArray[Any]) -> bytes:
    """An array's bits, all NaNs made one."""
    wide = array.astype(np.float64)
    return np.where(np.isnan(wide), np.nan, wide).tobytes()


def same(a: Moments, b: Moments) -> bool:
    return (
        bool(np.array_equal(a.count, b.count)) and bits_of(a.mean) == bits_of(b.mean) and bits_of(a.m2) == bits_of(b.m2)
    )


def exact_moments(values: Any) -> tuple[Fraction, Fraction]:
    """Mean and M2 of numbers, as a float holds each of them."""
    numbers = [Fraction(float(value)) for value in values]
    mean = sum(numbers, Fraction(0)) / len(numbers)
    return mean, sum(((x - mean) ** 2 for x in numbers), Fraction(0))


def limits_of(values: Any, fmt: Format) -> tuple[Fraction, Fraction]:
    """Absolute errors of mean and M2 that every sane algorithm stays under on benign data.

    4 u sum (|x| + centre) for the mean and 8 n u sum (|x| + centre)^2 for M2: more than the bound of the naive
    formula, u + (1 + u) (gamma_n + gamma_2n) kappa^2 with gamma_k = k u / (1 - k u), allows.
    """
    sizes = [abs(Fraction(float(value))) + Fraction(CENTRE) for value in values]
    u = fmt.unit_roundoff
    return 4 * u * sum(sizes), 8 * len(sizes) * u * sum(size * size for size in sizes)


def off(got: Any, wanted: Fraction, limit: Fraction) -> bool:
    number = float(got)
    return not np.isfinite(number) or abs(Fraction(number) - wanted) > limit


def misses(
    mean: Any, m2: Any, wanted: tuple[Fraction, Fraction], limits: tuple[Fraction, Fraction]
) -> Iterator[tuple[str, Any, Fraction, Fraction]]:
    """Name, answer, wanted number and limit of whichever of mean and M2 errs by more than its limit."""
    for name, got, exact, limit in zip(("mean", "M2"), (mean, m2), wanted, limits, strict=True):
        if off(got, exact, limit):
            yield name, got, exact, limit


def benign(subject: Subject) -> NDArray[Any]:
    """One row of benign data, long where the accumulator is precise enough for a long row to say something."""
    repeats = 1 if subject.accumulator.precision < 24 else 63
    values = np.tile(np.array(_BENIGN, dtype=np.float64), repeats)
    # An uneven ripple, so that rows do not repeat themselves and sums are not all exact.
    return subject.store(values / 8 + np.arange(len(values)) % 7 / 24)


def rows_of_benign(subject: Subject, rows: int, length: int) -> NDArray[Any]:
    """Different rows of benign data, (rows, length)."""
    return np.stack([np.resize(np.roll(benign(subject), 3 * r), length) for r in range(rows)])
