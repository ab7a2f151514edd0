"""The shortest way from a plain array in one piece to its answers, for small arrays whose call itself counts.

What depends on the dtype, on what is wanted and on the correction is found once, and kept.
"""

from __future__ import annotations

from collections.abc import MutableSet
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..blocking import CARRIERS
from ..exact.rounding_one import correction_ratio
from ..formats import Format
from .first import WANTS, Asked, column_kind, completed, kernel, row_kind
from .terms import LONGEST

__all__ = ["PlainCall"]


class PlainCall:
    """Answers in the values' own format; None where the general way has to decide.

    wants : some of "mean", "var", "std". storage : the format of the values. correction : of at most 2^52 in magnitude.
    """

    __slots__ = (
        "asked",
        "bits",
        "carrier",
        "code",
        "first",
        "name",
        "out",
        "rows",
        "single",
        "storage",
        "type",
    )

    def __init__(self, wants: tuple[str, ...], storage: Format, correction: float) -> None:
        self.storage, self.name = storage, storage.name
        self.asked = Asked(wants, correction_ratio(correction), storage)
        self.bits, self.code = self.asked.bits, self.asked.code
        self.first = WANTS[wants[0]]
        self.rows = [self.asked.rows[want] for want in wants]
        self.carrier = CARRIERS[self.name] if storage.dtype.itemsize == 2 else None
        self.out = np.dtype(np.float64 if storage.precision == 53 else np.float32)
        self.type = storage.dtype.type
        self.single: Any = None  # compiled when it is needed first

    def scalar(self, x: NDArray[Any]) -> Any:
        """The only answer that is wanted, for all values of a C-contiguous array of one dimension, not empty."""
        if self.carrier is not None:
            x = x.view(self.carrier)
        above, below = self.asked.divisor(x.size)
        single = self.single
        if single is None:
            single = self.single = kernel("single", self.name)
        value = single(x, above, below, self.first, self.code)
        return self.type(value) if value == value else None  # noqa: PLR0124 - not NaN

    def along(self, x: NDArray[Any], axis: int, notes: MutableSet[str]) -> list[NDArray[Any]] | None:
        """The answers over one axis, not negative, of a C-contiguous array, not empty; what there is to warn of joins
        the notes."""
        shape = x.shape
        n = shape[axis]
        above, below = self.asked.divisor(n)
        if not (n > 1 and above > 0.0 and n <= LONGEST):
            return None
        rows = x.size // n
        if axis == len(shape) - 1:
            kept = shape[:axis]
            kind = row_kind(self.storage, n, rows, n)
            x = x.reshape(1, 1, rows, n)
        else:
            kept = shape[:axis] + shape[axis + 1 :]
            inner = 1
            for size in shape[axis + 1 :]:
                inner *= size
            kind = column_kind(self.storage, n)
            x = x.reshape(rows // inner, 1, n, inner)
        out = np.empty((len(self.rows), rows), self.out)
        values = x if self.carrier is None else x.view(self.carrier)
        left, told = kernel(kind, self.name)(values, above, below, self.bits, self.code, out)
        if left or told:
            view = x if axis == len(shape) - 1 else x.transpose(0, 2, 3, 1)
            if left < 0 or completed(view, None, self.storage, self.asked, (out, left, told), notes) is None:
                return None
        if self.carrier is not None:
            out = out.astype(self.type)
        if len(self.rows) == 1:
            return [out.reshape(kept)]
        return [out[row].reshape(kept) for row in self.rows]

    def masked(
        self, x: NDArray[Any], where: NDArray[np.bool_], axis: int | None, notes: MutableSet[str]
    ) -> list[Any] | None:
        """The same under a mask of the array's shape, over one axis or all (None)."""
        shape = x.shape
        kept: tuple[int, ...] = ()
        if axis is None:
            form = (1, 1, 1, x.size)
        else:
            kept = shape[:axis] + shape[axis + 1 :]
            n, inner = shape[axis], 1
            for size in shape[axis + 1 :]:
                inner *= size
            form = (1, 1, x.size // n, n) if inner == 1 else (x.size // n // inner, n, inner, 1)
        found = completed(x.reshape(form), where.reshape(form), self.storage, self.asked, None, notes)
        if found is None:
            return None
        out = found[0] if self.carrier is None else found[0].astype(self.type)
        return [out[row].reshape(kept)[()] for row in self.rows]
