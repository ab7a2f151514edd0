"""The algorithm ``exact``: correctly rounded means and variances, from exact sums.

The mean, M2 and the variance are each the exact rational number rounded once, to nearest even. The result does not
depend on the order of the values, their layout, or how they were cut into parts: states merge exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .answers import Moments
from .exact import ExactSums, exact_sums, joined
from .formats import Format
from .registry import Algorithm
from .rounding import round_to

__all__ = ["EXACT", "ExactMoments"]


@dataclass(frozen=True, eq=False)
class ExactMoments(Moments):
    """Moments whose mean, M2 and variance are each rounded once.

    Attributes
    ----------
    sums : the exact sums of each row.
    """

    sums: tuple[ExactSums, ...]

    @classmethod
    def of(cls, sums: tuple[ExactSums, ...], fmt: Format) -> ExactMoments:
        """The moments of rows of these sums, rounded to a format."""
        mean = np.array([_mean(row, fmt) for row in sums], dtype=fmt.dtype)
        m2 = np.array([_variance(row, None, fmt) for row in sums], dtype=fmt.dtype)
        return cls(np.array([row.count for row in sums], dtype=np.int64), mean, m2, fmt, sums)

    def variance(self, correction: float = 0.0) -> NDArray[Any]:
        """M2 / (count - correction) of each row, correctly rounded; NaN where count <= correction.

        The correction is taken as exactly the float that it is.

        Raises
        ------
        ValueError
            The correction is not a finite number.
        """
        correction = float(correction)
        if not np.isfinite(correction):
            raise ValueError(f"correction={correction!r}: give a finite number, such as 0 or 1")
        exact = Fraction(correction)
        return np.array([_variance(row, exact, self.accumulator) for row in self.sums], dtype=self.accumulator.dtype)

    def merge(self, other: Moments) -> Moments:
        """The moments of both samples, exactly; by Chan's merge if the other's sums are not known."""
        if not isinstance(other, ExactMoments) or len(other) != len(self) or other.accumulator != self.accumulator:
            return super().merge(other)
        pairs = zip(self.sums, other.sums, strict=True)
        return ExactMoments.of(tuple(joined(pair) for pair in pairs), self.accumulator)


def _mean(row: ExactSums, fmt: Format) -> Any:
    if row.nan or not row.count or (row.posinf and row.neginf):
        return np.nan
    if row.posinf or row.neginf:
        return np.inf if row.posinf else -np.inf
    return round_to(Fraction(row.s1, row.count) * Fraction(2) ** row.exponent, fmt)


def _variance(row: ExactSums, correction: Fraction | None, fmt: Format) -> Any:
    """M2, or M2 / (count - correction)."""
    n = row.count
    divisor = Fraction(1) if correction is None else n - correction
    if not n or divisor <= 0 or row.nan or row.posinf or row.neginf:
        return np.nan
    return round_to(Fraction(n * row.s2 - row.s1 * row.s1, n) * Fraction(4) ** row.exponent / divisor, fmt)


def _whole(view: NDArray[Any], accumulator: Format) -> Moments:
    return ExactMoments.of(tuple(exact_sums(view)), accumulator)


EXACT = Algorithm(
    name="exact",
    formula="exact",
    order="any",
    title="exact sums, rounded once",
    summary="Correctly rounded: exact sums of x and x^2 and one rounding at the end; the order plays no part.",
    source="Neal 2015, arXiv:1505.05571; Rump, Ogita, Oishi 2008, doi:10.1137/050645671",
    whole=_whole,
)
