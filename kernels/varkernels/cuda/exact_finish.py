"""From the digits of the kernel of exact sums to the sums that `varkernels.exact` rounds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exact.sums import Digits
from ..exact.table import SumTable
from ..formats import FORMATS, Format
from .exact_digits import layout_of

__all__ = ["table_of"]

ROWS = 256  # made sums of at a time


def table_of(digits: NDArray[np.int64], counts: NDArray[np.int64], storage: Format) -> SumTable:
    """The exact sums of rows.

    Parameters
    ----------
    digits : int64 (rows, parts, `Layout.count`), as the kernel leaves them.
    counts : int64 (rows,), values in each row.
    """
    layout = layout_of(storage)
    table = SumTable(counts)
    end = layout.x + layout.squares
    for begin in range(0, len(counts), ROWS):
        some = digits[begin : begin + ROWS]
        # Low and high halves apart: no sum over parts overflows.
        low, high = (some & 0xFFFFFFFF).sum(axis=1), (some >> 32).sum(axis=1)
        made = Digits(FORMATS[storage.name], len(some), 1)
        _spread(made.digits, low[:, : layout.x], high[:, : layout.x], 4)
        _spread(made.squares, low[:, layout.x : end], high[:, layout.x : end], 2)
        made.special[:] = some[:, :, end : end + 3].sum(axis=1)
        table.add(begin, made)
    return table


def _spread(digits: NDArray[np.int64], low: NDArray[Any], high: NDArray[Any], apart: int) -> None:
    """Add digits of 32 bits' weight, their halves given, to digits of 32 / `apart` bits' weight."""
    whole = low.copy()
    whole[:, 1:] += high[:, :-1]
    whole[:, -1] += high[:, -1] << 32  # with its sign
    places = min(-(-digits.shape[1] // apart), whole.shape[1])
    for j in range(whole.shape[1] - 1, places - 1, -1):  # nothing but a sign
        whole[:, j - 1] += whole[:, j] << 32
    digits[:, : places * apart : apart] += whole[:, :places]
