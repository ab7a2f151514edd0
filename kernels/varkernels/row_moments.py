"""What every algorithm answers: count, mean and M2 of each row; and Bessel's correction, only here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .formats import Format
from .formulas.chan import Chan, merge
from .htmltable import SHOWN, table

__all__ = ["Moments", "bessel"]


def bessel(m2: NDArray[Any], count: NDArray[np.int64], correction: float, fmt: Format) -> NDArray[Any]:
    """M2 / (count - correction), NaN where count <= correction.

    The divisor and the quotient are taken in float64, which holds M2 exactly, and the quotient is rounded to
    the format of M2.
    """
    divisor = count.astype(np.float64) - correction
    with np.errstate(all="ignore"):
        return fmt.rounded(m2.astype(np.float64) / np.where(divisor > 0, divisor, np.nan))


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and sum of squared deviations of each row.

    Attributes
    ----------
    count : int64 array (rows,).
    mean : array (rows,) in the accumulator's dtype, in the unit of the values.
    m2 : array (rows,) in the accumulator's dtype, in the unit of the values squared.
    accumulator : the format that mean and m2 were computed in.
    """

    count: NDArray[np.int64]
    mean: NDArray[Any]
    m2: NDArray[Any]
    accumulator: Format

    def __len__(self) -> int:
        return len(self.count)

    def _repr_html_(self) -> str:
        """The first rows as a table, for notebooks."""
        head = Moments(self.count[:SHOWN], self.mean[:SHOWN], self.m2[:SHOWN], self.accumulator)
        rows = zip(range(len(head)), head.count, head.mean, head.m2, head.variance(), strict=True)
        more = len(self) - len(head)
        return table(
            f"moments of {len(self):,} row{'s' * (len(self) != 1)}, accumulated in {self.accumulator}",
            ("row", "count", "mean", "M2", "M2 / count"),
            rows,
            more=f"and {more:,} more" if more else "",
        )

    def variance(self, correction: float = 0.0) -> NDArray[Any]:
        """M2 / (count - correction) of each row, in the accumulator's dtype; NaN where count <= correction.

        Parameters
        ----------
        correction : 0 for the population variance, 1 for Bessel's correction, or any other finite number.

        Raises
        ------
        ValueError
            The correction is not a finite number.
        """
        correction = float(correction)
        if not np.isfinite(correction):
            raise ValueError(f"correction={correction!r}: give a finite number, such as 0 or 1")
        return bessel(self.m2, self.count, correction, self.accumulator)

    def merge(self, other: Moments) -> Moments:
        """The moments of both samples, row by row, by Chan's merge in the accumulator's arithmetic.

        A row without values leaves the other one's moments as they are. Chan, Golub, LeVeque 1983,
        doi:10.1080/00031305.1983.10483115, eq. 2.1.

        Parameters
        ----------
        other : moments of as many rows, in the same accumulator; neither of the two changes.

        Raises
        ------
        ValueError
            The numbers of rows or the accumulators differ.
        """
        if len(self) != len(other):
            raise ValueError(f"other has {len(other)} rows where these moments have {len(self)}")
        if self.accumulator != other.accumulator:
            raise ValueError(f"other was accumulated in {other.accumulator}, these moments in {self.accumulator}")
        with np.errstate(all="ignore"):
            both = merge(  # type: ignore[no-untyped-call]
                Chan(self.mean, self.m2), self.count, Chan(other.mean, other.m2), other.count
            )
        empty, theirs = other.count == 0, self.count == 0
        return Moments(
            self.count + other.count,
            np.where(empty, self.mean, np.where(theirs, other.mean, both.mean)),
            np.where(empty, self.m2, np.where(theirs, other.m2, both.m2)),
            self.accumulator,
        )
