"""What layers are asked to tell how their error varies: rows of normal numbers, of three sizes, about six means.

Every row is a draw of its own: a channel of a batch norm, a sample of a layer norm, a group, an image of an instance
norm. The deviation is 1; values are rounded to float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["GROUPS", "MEANS", "ROWS", "SEED", "SIZES", "Moments", "exact", "shapes", "tables"]

ROWS = 64
SIZES = (2**10, 2**15, 2**20)
MEANS = (0.0, 1e2, 1e3, 1e4, 1e5, 1e6)
GROUPS = 8
SEED = 21
# The shape of an image: samples of a batch norm, and channels of a group.
_BATCHES = {2**10: 4, 2**15: 32, 2**20: 256}
_GROUPED = {2**10: 4, 2**15: 32, 2**20: 64}


@dataclass(frozen=True)
class Moments:
    """Each row's exact mean and sum of squares about it, to a few units of float64; rows have about the deviation 1."""

    mean: NDArray[np.float64]
    squares: NDArray[np.float64]


def _image(values: int) -> tuple[int, int]:
    """Height and width: powers of two, as square as they can be."""
    half = (values.bit_length() - 1) // 2
    return values >> half, 1 << half


def shapes(size: int, rows: int = ROWS) -> dict[str, tuple[int, ...]]:
    """The shape of x for each kind of layer, (N, C) or (N, C, H, W).

    Parameters
    ----------
    size : values of a row, a power of two from 16 up. rows : a multiple of 16.
    """
    batch, channels = _BATCHES.get(size, 2), _GROUPED.get(size, 2)
    return {
        "batch": (batch, rows, *_image(size // batch)),
        "layer": (rows, size),
        "group": (rows // GROUPS, GROUPS * channels, *_image(size // channels)),
        "instance": (2, rows // 2, *_image(size)),
    }


def tables(size: int, mean: float, rows: int = ROWS) -> NDArray[np.float32]:
    """The rows about a mean, of one size: the same normal numbers for all means, shifted and then rounded."""
    table = np.empty((rows, size), np.float32)
    for r in range(rows):
        table[r] = np.random.default_rng([SEED, size, r]).standard_normal(size) + mean
    return table


def exact(table: NDArray[np.float32]) -> Moments:
    """The moments of rows: in float64, of the exact differences to a float32 number near the mean."""
    mean, squares = np.empty(len(table)), np.empty(len(table))
    for r, row in enumerate(table):
        near = np.float64(np.float32(row.mean(dtype=np.float64)))
        dev = row - near
        off = dev.sum() / dev.size
        mean[r], squares[r] = near + off, (dev * dev).sum() - dev.size * off * off
    return Moments(mean, squares)
