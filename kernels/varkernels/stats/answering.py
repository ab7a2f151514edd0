"""What `streaming.Moments` answers, and how it looks: from its state alone."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ..arithmetic import in_default_arithmetic
from ..exact.rounding_one import correction_ratio
from ..formats import FLOAT32, FLOAT64, Format
from ..htmltable import SHOWN, table
from .inputs import result_format, wider
from .states import Kept

__all__ = ["Answering"]


class Answering(ABC):
    """The answers of `Moments`, which says what it was made with and has a state to give."""

    __slots__ = ("_axis", "_dtype", "_method", "_nan_policy")

    _axis: int | tuple[int, ...] | None
    _dtype: Format | None
    _method: str
    _nan_policy: str

    @abstractmethod
    def _now(self) -> Kept:
        """The widest format of the values, and their state."""

    @property
    def method(self) -> str:
        return self._method

    @property
    def axis(self) -> int | tuple[int, ...] | None:
        return self._axis

    @property
    def nan_policy(self) -> str:
        return self._nan_policy

    @property
    def dtype(self) -> np.dtype[Any] | None:
        fmt, _ = self._now()
        return None if fmt is None and self._dtype is None else self._answering(fmt, None).dtype

    @property
    def shape(self) -> tuple[int, ...] | None:
        state = self._now()[1]
        return None if state is None else () if self._axis is None else state.shape  # type: ignore[union-attr]

    @property
    def count(self) -> Any:
        state = self._now()[1]
        return 0 if state is None else state.count(self._omit)

    @property
    def nan_count(self) -> Any:
        if self._method != "exact":
            raise ValueError(f"method {self._method!r} does not count NaN: use Moments() with the method 'exact'")
        state: Any = self._now()[1]
        return 0 if state is None else state.count(False) - state.count(True)

    @property
    def _omit(self) -> bool:
        return self._nan_policy == "omit"

    def _answering(self, fmt: Format | None, dtype: Any) -> Format:
        if dtype is not None:
            return result_format(FLOAT64.dtype, dtype)
        return self._dtype or (wider(fmt, FLOAT32) if fmt else FLOAT64)

    @property
    @in_default_arithmetic
    def mean(self) -> Any:
        """The mean, a scalar of the dtype, or an array of the features' shape: correctly rounded with the method
        ``exact``. NaN without values."""
        fmt, state = self._now()
        answering = self._answering(fmt, None)
        return answering.rounded(math.nan)[()] if state is None else state.mean(answering, self._omit)

    def variance(self, correction: float = 0.0, *, dtype: Any = None) -> Any:
        """The variance, a scalar of the dtype, or an array of the features' shape; NaN, without a warning, where
        count <= correction.

        Parameters
        ----------
        correction : any finite real number, taken as exactly what it is; the variance is M2 / (count - correction).
        dtype : of this answer; None for the object's.

        Raises
        ------
        TypeError
            The correction is no real number; the dtype is none of the four floating-point ones.
        ValueError
            The correction is not finite.
        """
        return self._deviation("variance", correction, dtype)

    def std(self, correction: float = 0.0, *, dtype: Any = None) -> Any:
        """The standard deviation, as `variance`, whose parameters and errors it has: its root, rounded once."""
        return self._deviation("std", correction, dtype)

    @in_default_arithmetic
    def _deviation(self, which: str, correction: float, dtype: Any) -> Any:
        ratio = correction_ratio(correction)
        fmt, state = self._now()
        answering = self._answering(fmt, dtype)
        if state is None:
            return answering.rounded(math.nan)[()]
        return getattr(state, which)(ratio, answering, self._omit)

    def __repr__(self) -> str:
        fmt, state = self._now()
        dtype = "no data" if fmt is None else fmt.name
        if self._axis is None:
            return f"<varstudy.Moments by {self._method!r}: {self.count} values, {dtype}>"
        shape = "" if state is None else f", features {self.shape}"
        return f"<varstudy.Moments by {self._method!r} over axis {self._axis}: {dtype}{shape}>"

    def _repr_html_(self) -> str:
        """One row, or one a feature, as a table for notebooks."""
        fmt, _ = self._now()
        columns = [
            np.atleast_1d(each).reshape(-1) for each in (self.count, self.mean, self.variance(), self.variance(1))
        ]
        title = f"moments by {self._method}, {'no data' if fmt is None else fmt.name}"
        names = ("count", "mean", "variance", "variance, n - 1")
        rows = list(zip(*(column[:SHOWN] for column in columns), strict=True))
        if self._axis is None:
            return table(title, names, rows)
        more = max(0, len(columns[0]) - SHOWN)
        numbered = [(i, *row) for i, row in enumerate(rows)]
        return table(title, ("feature", *names), numbered, more=f"and {more:,} more" if more else "")
