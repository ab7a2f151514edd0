"""The exact sums of many rows, packed: a compiled rounding of all of them, and Python's integers for the rest."""

from __future__ import annotations

from collections.abc import Callable, MutableSet, Sequence
from dataclasses import replace
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arithmetic import in_default_arithmetic
from ..formats import Format
from . import limbs
from . import rounding_many as many
from . import rounding_one as one
from .sums import Digits, ExactSums, integer_sums, joined, kernel, less, sweep_into, times

__all__ = ["SumTable", "exact_table"]

# Counts, and count - correction in units of the correction's denominator, that the compiled rounding takes.
_COUNT = 2**31
_NOTES = {
    many.EMPTY: one.EMPTY,
    many.DEGREES: one.DEGREES,
    many.OPPOSITE: one.OPPOSITE,
    many.INVALID: one.SUBTRACT,
    many.OVERFLOW: one.OVERFLOW,
}


def _negative(limb: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The limbs of -x: every bit turned round, and one added."""
    found = ~limb
    over = np.ones(len(limb), dtype=np.bool_)
    for j in range(limb.shape[1]):
        found[:, j] += over
        over &= found[:, j] == 0
    return found


class SumTable(Sequence[ExactSums]):
    """The exact sums of rows, one after the other; as a sequence, it makes an `ExactSums` of each when asked.

    Attributes
    ----------
    counts : int64, how many values each row has. special : int64 (rows, 3), how many values are NaN, +inf, -inf.
    s1, s2, exponent : as in `finish`.
    wide : bool; the sums of these rows need more limbs, and stand in `apart`.
    """

    def __init__(self, counts: NDArray[np.int64]) -> None:
        rows = len(counts)
        self.counts = counts
        self.special = np.zeros((rows, 3), dtype=np.int64)
        self.s1 = np.zeros((rows, limbs.S1), dtype=np.uint32)
        self.s2 = np.zeros((rows, limbs.S2), dtype=np.uint32)
        self.exponent = np.zeros(rows, dtype=np.int64)
        self.wide = np.zeros(rows, dtype=np.bool_)
        self.apart: dict[int, ExactSums] = {}

    def __len__(self) -> int:
        return len(self.counts)

    @overload
    def __getitem__(self, place: int) -> ExactSums: ...
    @overload
    def __getitem__(self, place: slice) -> list[ExactSums]: ...
    def __getitem__(self, place: int | slice) -> ExactSums | list[ExactSums]:
        if isinstance(place, slice):
            return [self[r] for r in range(*place.indices(len(self)))]
        r = range(len(self))[place]
        if r in self.apart:
            return self.apart[r]
        s1 = int.from_bytes(self.s1[r].tobytes(), "little", signed=True)
        s2 = int.from_bytes(self.s2[r].tobytes(), "little", signed=True)
        return integer_sums(int(self.counts[r]), self.special[r].tolist(), s1, s2, int(self.exponent[r]))

    @classmethod
    def of(cls, rows: Sequence[ExactSums]) -> SumTable:
        """The table of some rows' sums; of a table, itself."""
        if isinstance(rows, SumTable):
            return rows
        table = cls(np.zeros(len(rows), dtype=np.int64))
        for r, sums in enumerate(rows):
            table.put(r, sums)
        return table

    @classmethod
    def stacked(cls, tables: Sequence[SumTable]) -> SumTable:
        """The rows of several tables one after the other."""
        if len(tables) == 1:
            return tables[0]
        found = cls(np.concatenate([table.counts for table in tables]))
        for name in ("special", "s1", "s2", "exponent", "wide"):
            setattr(found, name, np.concatenate([getattr(table, name) for table in tables]))
        begin = 0
        for table in tables:
            found.apart |= {begin + r: sums for r, sums in table.apart.items()}
            begin += len(table)
        return found

    @classmethod
    def together(cls, tables: Sequence[SumTable]) -> SumTable:
        """The sums of row r of every table together, for every r."""
        rows = len(tables[0])
        return (
            tables[0]
            if len(tables) == 1
            else cls.stacked(tables).join(np.arange(len(tables) * rows).reshape(-1, rows).T)
        )

    def put(self, row: int, sums: ExactSums) -> None:
        """Set a row's sums from integers of any size."""
        self.counts[row], self.special[row] = sums.count, (sums.nan, sums.posinf, sums.neginf)
        self.apart.pop(row, None)
        self.wide[row] = sums.s1.bit_length() >= 32 * limbs.S1 or sums.s2.bit_length() >= 32 * limbs.S2
        if self.wide[row]:
            self.apart[row] = sums
            self.s1[row], self.s2[row], self.exponent[row] = 0, 0, 0
        else:
            for limb, value in ((self.s1, sums.s1), (self.s2, sums.s2)):
                limb[row] = np.frombuffer(value.to_bytes(4 * limb.shape[1], "little", signed=True), "<u4")
            self.exponent[row] = sums.exponent

    def add(self, begin: int, digits: Digits) -> None:
        """Set the rows from `begin` on from their digits, which are zeroed."""
        part = slice(begin, begin + len(digits.digits))
        self.special[part] = digits.special
        pieces = (self.s1[part], self.s2[part], self.exponent[part], self.wide[part])
        kernel("pack")(digits.digits, digits.squares, digits.unit, *pieces)
        if self.wide[part].any():
            s1, s2, special = digits.empty()
            for r in np.flatnonzero(self.wide[part]).tolist():
                sums = integer_sums(int(self.counts[begin + r]), special[r], s1[r], s2[r], digits.unit)
                self.put(begin + r, sums)
        else:
            digits.special[:] = 0

    def join(self, places: NDArray[np.int64]) -> SumTable:
        """The sums of the rows places[r, :] together, for every r."""
        places = np.ascontiguousarray(places, dtype=np.int64)
        found = SumTable(self.counts[places.T].sum(axis=0, dtype=np.int64))  # numpy adds whole rows faster
        if self.special.any():
            found.special = self.special[places.T].sum(axis=0, dtype=np.int64)
        sums = (self.s1, self.s2, self.exponent, self.wide)
        kernel("join")(places, *sums, found.s1, found.s2, found.exponent, found.wide)
        for r in np.flatnonzero(found.wide).tolist():
            found.put(r, joined(self[k] for k in places[r].tolist()))
        return found

    def less(self, other: SumTable) -> SumTable:
        """The sums of each row without the values whose sums the same row of the other table has.

        Raises
        ------
        ValueError
            No values have the sums that would be left in a row.
        """
        away = other.counted(-other.counts)
        away.special = -other.special
        away.s1, away.s2 = _negative(other.s1), _negative(other.s2)
        away.apart = {r: times(sums, -1) for r, sums in other.apart.items()}
        left = SumTable.together([self, away])
        for r in np.flatnonzero(~left.surely_consistent()).tolist():
            left.put(r, less(self[r], other[r]))
        return left

    def surely_consistent(self) -> NDArray[np.bool_]:
        """Of which rows float64 shows `sums.consistent`: of those where nothing is near to its limit."""
        finite = self.counts - self.special.sum(axis=1)
        weights = 2.0 ** (32.0 * np.arange(limbs.S2))
        s1 = self.s1 @ weights[: limbs.S1] - (self.s1[:, -1] >> np.uint32(31)) * 2.0 ** (32 * limbs.S1)
        far = s1 * s1 < finite * (self.s2 @ weights) * (1 - 2.0**-30)
        positive = (self.s2[:, -1] >> np.uint32(31) == 0) & (finite > 0) & (self.special >= 0).all(axis=1)
        surely: NDArray[np.bool_] = ~self.wide & far & positive
        return surely

    def counted(self, counts: NDArray[np.int64]) -> SumTable:
        """The same sums, of so many values."""
        found = SumTable(counts)
        found.special = self.special
        found.s1, found.s2, found.exponent, found.wide = self.s1, self.s2, self.exponent, self.wide
        found.apart = {r: replace(sums, count=int(counts[r])) for r, sums in self.apart.items()}
        return found

    def without_nan(self) -> SumTable:
        """The sums with the NaN values left out of the counts too."""
        found = self.counted(self.counts - self.special[:, 0])
        found.special = self.special * (0, 1, 1)
        found.apart = {r: one.without_nan(sums) for r, sums in self.apart.items()}
        return found

    def _answers(
        self, what: int, ratio: tuple[int, int], fmt: Format, notes: MutableSet[str], of: Callable[[ExactSums], float]
    ) -> NDArray[Any]:
        """The compiled answers of what is packed; what is not, or what that rounding does not take, by itself."""
        out = np.empty(len(self))
        if int(self.counts.max(initial=1)) * ratio[1] + abs(ratio[0]) >= _COUNT:
            out[:] = [of(row) for row in self]
            return fmt.rounded(out)
        if len(self) > len(self.apart):
            sums = (self.s1, self.s2, self.exponent, self.counts, self.special)
            found = kernel("answers")(*sums, what, *ratio, fmt.precision, fmt.emin, fmt.emax, out)
            notes |= {text for bit, text in _NOTES.items() if found & bit}
        for r, row in self.apart.items():
            out[r] = of(row)
        return fmt.rounded(out)

    @in_default_arithmetic
    def means(self, fmt: Format, notes: MutableSet[str]) -> NDArray[Any]:
        """`rounding_one.mean_of` of each row, in the format's dtype."""
        return self._answers(many.MEAN, (0, 1), fmt, notes, lambda row: one.mean_of(row, fmt, notes))

    @in_default_arithmetic
    def variances(self, correction: tuple[int, int], fmt: Format, notes: MutableSet[str]) -> NDArray[Any]:
        """`rounding_one.variance_of` of each row, in the format's dtype."""
        return self._answers(
            many.VARIANCE, correction, fmt, notes, lambda row: one.variance_of(row, correction, fmt, notes)
        )

    def m2s(self, fmt: Format, notes: MutableSet[str]) -> NDArray[Any]:
        """M2 of each row, in the format's dtype: what a divisor of 1 makes of the variance."""
        return self._answers(
            many.M2, (0, 1), fmt, notes, lambda row: one.variance_of(row, (row.count - 1, 1), fmt, notes)
        )

    @in_default_arithmetic
    def stds(self, correction: tuple[int, int], fmt: Format, notes: MutableSet[str]) -> NDArray[Any]:
        """`rounding_one.std_of` of each row, in the format's dtype."""
        return self._answers(many.STD, correction, fmt, notes, lambda row: one.std_of(row, correction, fmt, notes))


@in_default_arithmetic
def exact_table(view: ArrayLike) -> SumTable:
    """`exact_sums` of the rows of a view, packed: the same parameters, errors and rows."""
    return sweep_into(view, SumTable)
