"""What merging does to the variance of a batch that is spread over ranks: the merges that frameworks' sources have.

SyncBatchNorm of torch and of Paddle runs on GPUs alone, so that their merges are replayed here, each operation rounded
to float32. What the ranks bring is exact and rounded once, so that the merge alone makes the error:

    counts              sums of squared deviations, weighed by counts (Chan, Golub, LeVeque 1983), as in
                        `varkernels.sync`
    inverse deviations  a rank brings i = 1 / sqrt(v + e), and 1 / i^2 - e is taken for v, then as above
                        (torch 2.13.0, torch/include/ATen/native/cuda/Normalization.cuh:486)
    sums of squares     sum x^2 / n - mean^2 over all ranks
                        (Paddle 3.3.1, paddle/include/paddle/phi/kernels/funcs/sync_batch_norm_utils.h:91)
    ranks alike         the ranks' means of x and x^2 are averaged, whatever their counts
                        (NaiveSyncBatchNorm of Detectron2 02b5c4e2, detectron2/layers/batch_norm.py:249)

1 / i^2 - e has the absolute error of about 4 u (v + e), u = 2^-24: below a variance of e the digits go, e / v of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import FLOAT32
from varkernels.rounding import round_to

from .._io.record_file import Cells
from .score import status_of

__all__ = ["INPUTS", "MERGES", "RankRow", "inputs", "merge_errors"]

EPSILON = 1e-5
CHANNELS = 16
SEED = 20
EQUAL, UNEQUAL = (64, 64, 64), (8, 64, 512)
# The ranks' counts, their means, and the deviation of all.
INPUTS: dict[str, tuple[tuple[int, ...], tuple[float, ...], float]] = {
    "equal ranks": (EQUAL, (0, 0, 0), 1.0),
    "unequal ranks": (UNEQUAL, (-1, 0, 1), 1.0),
    "mean 1000": (UNEQUAL, (1000, 1000, 1000), 1.0),
    "deviation 1e-3": (UNEQUAL, (0, 0, 0), 1e-3),
    "deviation 1e-5": (UNEQUAL, (0, 0, 0), 1e-5),
}
Floats = NDArray[np.float64]


@dataclass
class RankRow(Cells):
    """One input under one merge.

    Attributes
    ----------
    input, merge : as in `INPUTS` and `MERGES`. error : the largest relative error of a channel's variance.
    negative : channels whose variance is negative. status : of the worst channel.
    """

    input: str
    merge: str
    error: float
    negative: int
    status: str


@dataclass(frozen=True)
class Rank:
    """What a rank brings, of each channel, exact and rounded once to float32.

    Attributes
    ----------
    count : its values. mean, var, square : the means of x and of x^2, and the variance S / n, in float64 arrays.
    """

    count: int
    mean: Floats
    var: Floats
    square: Floats


def _rounded(values: Any) -> Floats:
    found: Floats = FLOAT32.rounded(np.asarray(values, np.float64)).astype(np.float64)
    return found


def _near(values: Sequence[Fraction]) -> Floats:
    return np.array([float(round_to(value, FLOAT32)) for value in values])


def _moments(table: NDArray[Any]) -> tuple[list[Fraction], list[Fraction], list[Fraction]]:
    """The exact mean, variance and mean of squares of each column."""
    columns = [[Fraction(value) for value in column] for column in table.T.tolist()]
    means = [sum(column, Fraction(0)) / len(column) for column in columns]
    squares = [sum((value * value for value in column), Fraction(0)) / len(column) for column in columns]
    return means, [q - m * m for m, q in zip(means, squares, strict=True)], squares


def _by_counts(ranks: Sequence[Rank], variances: Sequence[Floats]) -> Floats:
    """As torch merges: in the ranks' order."""
    mean, m2, n = np.zeros(CHANNELS), np.zeros(CHANNELS), 0
    for rank, var in zip(ranks, variances, strict=True):
        share = _rounded(1 / (n + rank.count))
        gap = _rounded(mean - rank.mean)
        between = _rounded(_rounded(_rounded(_rounded(gap * gap) * n) * rank.count) * share)
        m2 = _rounded(m2 + _rounded(_rounded(var * rank.count) + between))
        old, new = _rounded(_rounded(n * share) * mean), _rounded(_rounded(rank.count * share) * rank.mean)
        mean, n = _rounded(old + new), n + rank.count
    return _rounded(m2 / n)


def _counts(ranks: Sequence[Rank]) -> Floats:
    return _by_counts(ranks, [rank.var for rank in ranks])


def _inverse_deviations(ranks: Sequence[Rank]) -> Floats:
    epsilon, found = _rounded(EPSILON), []
    for rank in ranks:
        inverse = _rounded(1 / np.sqrt(rank.var + EPSILON))  # the sum is one of double there
        deviation = _rounded(1 / inverse)
        found.append(_rounded(_rounded(deviation * deviation) - epsilon))
    return _by_counts(ranks, found)


def _sums_of_squares(ranks: Sequence[Rank]) -> Floats:
    n = sum(rank.count for rank in ranks)
    mean, square = np.zeros(CHANNELS), np.zeros(CHANNELS)
    for rank in ranks:
        mean, square = _rounded(mean + _rounded(rank.mean * rank.count)), _rounded(square + rank.square * rank.count)
    mean = _rounded(mean / n)
    return _rounded(_rounded(square / n) - _rounded(mean * mean))


def _ranks_alike(ranks: Sequence[Rank]) -> Floats:
    mean, square = np.zeros(CHANNELS), np.zeros(CHANNELS)
    for rank in ranks:
        mean, square = _rounded(mean + rank.mean), _rounded(square + rank.square)
    share = _rounded(1 / len(ranks))
    mean = _rounded(mean * share)
    return _rounded(_rounded(square * share) - _rounded(mean * mean))


MERGES: dict[str, Callable[[Sequence[Rank]], Floats]] = {
    "counts": _counts,
    "inverse deviations": _inverse_deviations,
    "sums of squares": _sums_of_squares,
    "ranks alike": _ranks_alike,
}
"""The merges by their names."""


def inputs(name: str) -> list[NDArray[Any]]:
    """The batches of the ranks, (values, channels) in float32; the same ones each time."""
    counts, means, deviation = INPUTS[name]
    rng = np.random.default_rng([SEED, *counts])
    return [
        (mean + deviation * rng.standard_normal((count, CHANNELS))).astype(np.float32)
        for count, mean in zip(counts, means, strict=True)
    ]


def merge_errors(merges: Sequence[str] = tuple(MERGES)) -> list[RankRow]:
    """The error of each merge on each input: of the variance over all values, against the exact one.

    Examples
    --------
    >>> from varstudy.study.rank_merges import merge_errors
    >>> for row in merge_errors():
    ...     print(row.input, "|", row.merge, "|", row.status, f"{row.error:.0e}", row.negative)
    equal ranks | counts | right 7e-08 0
    equal ranks | inverse deviations | right 9e-08 0
    equal ranks | sums of squares | right 1e-07 0
    equal ranks | ranks alike | right 1e-07 0
    unequal ranks | counts | right 9e-08 0
    unequal ranks | inverse deviations | right 1e-07 0
    unequal ranks | sums of squares | right 2e-07 0
    unequal ranks | ranks alike | wrong 9e-01 0
    mean 1000 | counts | inaccurate 2e-06 0
    mean 1000 | inverse deviations | inaccurate 2e-06 0
    mean 1000 | sums of squares | wrong 2e-01 0
    mean 1000 | ranks alike | wrong 5e-01 0
    deviation 1e-3 | counts | right 1e-07 0
    deviation 1e-3 | inverse deviations | inaccurate 1e-06 0
    deviation 1e-3 | sums of squares | right 1e-07 0
    deviation 1e-3 | ranks alike | wrong 3e-01 0
    deviation 1e-5 | counts | right 8e-08 0
    deviation 1e-5 | inverse deviations | inaccurate 2e-02 0
    deviation 1e-5 | sums of squares | right 1e-07 0
    deviation 1e-5 | ranks alike | wrong 3e-01 0
    """
    found = []
    for name in INPUTS:
        parts = inputs(name)
        ranks = [Rank(len(part), *(_near(each) for each in _moments(part))) for part in parts]
        exact = _moments(np.concatenate(parts))[1]
        for merge in merges:
            computed = MERGES[merge](ranks)
            error = max(
                float(abs(Fraction(value) - true) / true) for value, true in zip(computed.tolist(), exact, strict=True)
            )
            negative = int(np.count_nonzero(computed < 0))
            found.append(RankRow(name, merge, float(f"{error:.2e}"), negative, status_of(error, FLOAT32).value))
    return found
