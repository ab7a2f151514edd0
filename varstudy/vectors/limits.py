"""Limits of answers: the largest permitted distance from the exact one, by the rounding to the storage format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import Format
from varkernels.norms.answers import ExactArray

__all__ = ["Floats", "Limit", "stored"]

Floats = NDArray[np.float64]
# What evaluating a limit in float64 may lose.
SLACK = 1 + 1e-9


@dataclass(frozen=True, eq=False)
class Limit:
    """Exact answers, and how far from them a correct kernel may be.

    Attributes
    ----------
    exact : the answers, with .rounded in the storage format and .high + .low; NaN where nothing is demanded.
    limit : float64 array of the same shape: the largest permitted |answer - exact|. Infinite where correct kernels
        disagree: something may overflow, or no digit is certain.
    """

    exact: ExactArray
    limit: Floats

    def ratio(self, answer: Any) -> Floats:
        """|answer - exact| / limit of each element: above 1 is a fault; 0 where nothing is demanded.

        Raises
        ------
        ValueError
            The answer has another shape.
        """
        given = np.asarray(answer).astype(np.float64)
        if given.shape != self.limit.shape:
            raise ValueError(f"the answer has the shape {given.shape}: give {self.limit.shape}")
        with np.errstate(all="ignore"):
            off = np.abs((given - self.exact.high) - self.exact.low)
            off = np.where(np.isnan(off), np.inf, off)
            found: Floats = np.where(off == 0, 0.0, off / np.maximum(self.limit, 5e-324))
        free = np.isnan(self.exact.high) | ~np.isfinite(self.limit)
        return np.where(free, 0.0, found)


def stored(exact: ExactArray, error: Floats, fmt: Format) -> Limit:
    """The limit of answers that are within `error` of the exact ones before they are rounded to a format.

    Rounding is monotone, so that such an answer lies between the roundings of exact - error and exact + error.
    """
    with np.errstate(all="ignore"):
        error = np.where(np.isnan(error), np.inf, error * SLACK + 2.0**-52 * np.abs(exact.high))
        ends = [fmt.rounded(exact.high + side).astype(np.float64) for side in (-error, error)]
        off = [np.abs((end - exact.high) - exact.low) for end in ends]
        limit = np.maximum(np.maximum(off[0], off[1]), error) * SLACK
        return Limit(exact, np.where(np.isnan(limit), np.inf, limit))
