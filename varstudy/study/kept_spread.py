"""What a layer keeps for inference: the average of small batches' variances, or of their deviations.

The root is concave, so that the average deviation, squared, is less than the average variance. Of normal values with
variance 1 in batches of n the averages tend to

    variances / n          (n - 1) / n
    variances / (n - 1)    1
    deviations, squared    (2 / n) (gamma(n / 2) / gamma((n - 1) / 2))^2

(the mean of a chi distribution; Johnson, Kotz, Balakrishnan 1994, Continuous Univariate Distributions 1, chapter 18).
Inference divides by the root of what is kept, so that outputs are too large by the inverse of its root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from .._io.record_file import Cells

__all__ = ["DEVIATION", "SIGMA", "KeptRow", "kept_shares", "small_batches"]

DEVIATION = "average of deviations"
KEPT = ("average of variances", "average of variances, n - 1", DEVIATION)
SIGMA = 3.0
SEED = 20
STEPS, VALUES, CHANNELS = 200, 4, 256


@dataclass
class KeptRow(Cells):
    """One statistic for one size of batch.

    Attributes
    ----------
    kept : which average. values : in a batch. share : of the true variance that is kept, in the limit of many batches.
    outputs : the factor by which outputs of inference are too large, epsilon aside.
    """

    kept: str
    values: int
    share: float
    outputs: float


def small_batches() -> NDArray[Any]:
    """200 batches of 4 normal values in 256 channels, with mean 0 and deviation 3, in float32; the same each time."""
    rng = np.random.default_rng([SEED, VALUES])
    return (SIGMA * rng.standard_normal((STEPS, VALUES, CHANNELS))).astype(np.float32)


def _share(kept: str, values: int) -> float:
    n = mpmath.mpf(values)
    if kept == DEVIATION:
        return float(2 / n * (mpmath.gamma(n / 2) / mpmath.gamma((n - 1) / 2)) ** 2)
    return 1.0 if kept.endswith("n - 1") else float((n - 1) / n)


def kept_shares(values: Sequence[int] = (2, 4, 8, 32)) -> list[KeptRow]:
    """The share of a normal distribution's variance that each statistic keeps.

    Parameters
    ----------
    values : the sizes of batches, 2 or more.

    Raises
    ------
    ValueError
        A batch has fewer than 2 values.

    Examples
    --------
    >>> from varstudy.study.kept_spread import kept_shares
    >>> for row in kept_shares([2, 4, 32]):
    ...     print(row.values, "|", row.kept, "|", row.share, row.outputs)
    2 | average of variances | 0.5 1.414
    2 | average of variances, n - 1 | 1.0 1.0
    2 | average of deviations | 0.3183 1.772
    4 | average of variances | 0.75 1.155
    4 | average of variances, n - 1 | 1.0 1.0
    4 | average of deviations | 0.6366 1.253
    32 | average of variances | 0.9688 1.016
    32 | average of variances, n - 1 | 1.0 1.0
    32 | average of deviations | 0.9533 1.024
    """
    found = []
    for size in values:
        if size < 2:
            raise ValueError(f"a batch has {size} values: give 2 or more")
        for kept in KEPT:
            share = _share(kept, size)
            found.append(KeptRow(kept, size, float(f"{share:.4g}"), float(f"{share**-0.5:.4g}")))
    return found
