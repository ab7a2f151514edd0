"""The algorithm ``exact``: correctly rounded means and variances, from exact sums.

The mean, M2 and the variance are each the exact rational number rounded once, to nearest even. The result does not
depend on the order of the values, their layout, or how they were cut into parts: states merge exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..algorithm import Algorithm
from ..formats import Format
from ..formulas.bounding import SLACK, Bound, Setting
from ..formulas.cost import Cost
from ..row_moments import Moments
from .rounding_one import correction_ratio
from .table import SumTable, exact_table

__all__ = ["EXACT", "ExactMoments"]


@dataclass(frozen=True, eq=False)
class ExactMoments(Moments):
    """Moments whose mean, M2 and variance are each rounded once.

    Attributes
    ----------
    sums : the exact sums of each row.
    """

    sums: SumTable

    @classmethod
    def of(cls, sums: SumTable, fmt: Format) -> ExactMoments:
        """The moments of rows of these sums, rounded to a format."""
        return cls(sums.counts, sums.means(fmt, set()), sums.m2s(fmt, set()), fmt, sums)

    def variance(self, correction: float = 0.0) -> NDArray[Any]:
        """M2 / (count - correction) of each row, correctly rounded; NaN where count <= correction.

        The correction is taken as exactly the float that it is.

        Raises
        ------
        TypeError
            The correction is no real number.
        ValueError
            It is not finite.
        """
        ratio = correction_ratio(correction)
        return self.sums.variances(ratio, self.accumulator, set())

    def merge(self, other: Moments) -> Moments:
        """The moments of both samples, exactly; by Chan's merge if the other's sums are not known."""
        if not isinstance(other, ExactMoments) or len(other) != len(self) or other.accumulator != self.accumulator:
            return super().merge(other)
        return ExactMoments.of(SumTable.together([self.sums, other.sums]), self.accumulator)


def _whole(view: NDArray[Any], accumulator: Format) -> Moments:
    return ExactMoments.of(exact_table(view), accumulator)


def bound(a: Setting) -> Bound:
    """The mean is rounded once; the variance does not see M2's rounding, only its own."""
    none = np.zeros_like(a.s)
    return Bound((a.u * a.rows.mean + a.eta1) * SLACK, none)


EXACT = Algorithm(
    name="exact",
    formula="exact",
    order="any",
    title="exact sums, rounded once",
    summary="Correctly rounded: exact sums of x and x^2 and one rounding at the end; the order plays no part.",
    source="Neal 2015, arXiv:1505.05571; Rump, Ogita, Oishi 2008, doi:10.1137/050645671",
    whole=_whole,
    # Integer operations of `add_wide`, and its 64-bit digits, for float64: what a value costs at most.
    cost=Cost(1, 33, 0, 534),
    merges=True,
    bound=bound,
)
