"""Exact answers of a whole array: pairs with an error bound, the rounding test, and integers for the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats import Format
from ..formulas.errorfree import fast_two_sum
from .pairs import Floats, Pair, rounded
from .settling import settled

__all__ = ["BOUND", "ExactArray", "Filled"]

# Pairs err by at most this times the terms that the caller of `Filled.put` gives: 32 u^2 and a factor of two.
BOUND = 2.0**-100
_LARGE = 2.0**900


@dataclass(frozen=True, eq=False)
class ExactArray:
    """Exact numbers, rounded once to a format, and to about 100 bits.

    Attributes
    ----------
    rounded : in the format's dtype; NaN where there is no exact number.
    high, low : float64 arrays; the exact number is high + low, to 100 bits of it or of its terms.
    format : of `rounded`.
    """

    rounded: NDArray[Any]
    high: Floats
    low: Floats
    format: Format

    def reshape(self, shape: tuple[int, ...]) -> ExactArray:
        """The same numbers in another shape."""
        return ExactArray(self.rounded.reshape(shape), self.high.reshape(shape), self.low.reshape(shape), self.format)


class Filled:
    """Takes the pairs of a whole array piece by piece.

    Parameters
    ----------
    shape : of the array. fmt : to round to.
    exact : from an index into the array to (a, v, b) of which the answer is b + a / sqrt(v).
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        fmt: Format,
        exact: Callable[[tuple[int, ...]], tuple[Fraction, Fraction, Fraction]],
    ) -> None:
        self.answer = ExactArray(np.empty(shape, fmt.dtype), np.empty(shape), np.empty(shape), fmt)
        self.exact = exact

    def put(self, piece: tuple[slice, ...], pair: Pair, terms: Floats, known: Any, safe: Any) -> None:
        """Set a piece of the array.

        Parameters
        ----------
        piece : slices, one an axis. pair : the numbers, with errors of at most `BOUND` times the terms, where safe.
        known : where there are numbers. safe : where the pairs' errors are known.
        """
        answer, size = self.answer, np.abs(pair[0])
        high, low = pair[0] + 0.0, pair[1]  # no negative zero
        error = BOUND * terms
        sides = [fast_two_sum(high, low + side) for side in (-error, error)]
        ends = [rounded(side[0], side[1], answer.format) for side in sides]
        within = (size <= _LARGE) & ((size >= 1 / _LARGE) | (terms == 0))
        decided = safe & within & (ends[0] == ends[1]) & (np.signbit(ends[0]) == np.signbit(ends[1]))
        missing = ~np.broadcast_to(known, high.shape)
        if missing.any():
            high, low = np.where(missing, np.nan, high), np.where(missing, np.nan, low)
            ends[0][missing] = np.nan
        answer.high[piece], answer.low[piece] = high, low
        answer.rounded[piece] = ends[0]
        open_ = ~(decided | missing)
        if open_.any():
            begins = [part.start or 0 for part in piece]
            for place in np.argwhere(open_).tolist():
                at = tuple(k + begin for k, begin in zip(place, begins, strict=True))
                value, (answer.high[at], answer.low[at]) = settled(*self.exact(at), answer.format)
                answer.rounded[at] = value
