"""The variance of every window of a series: each answer is that of its own values, to the bit, and none drifts."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..exact.rounding_one import correction_ratio
from ..exact.windows import window_sums
from .axes import normalized
from .columns import column_of
from .functions import var
from .inputs import array_of, result_format

__all__ = ["rolling_var"]

# Values of a row below which exact sums take the same time.
_FEW = 1000
# How often a value has to be read, window after window, until exact sums are faster; 200 times for all other dtypes.
_OFTEN = {"float16": 650, "float32": 1300, "float64": 500}


def _long(dtype: np.dtype[Any], length: int, window: int, least: int) -> bool:
    """Whether exact sums, which each value enters and leaves, are faster than one window after the other: as it was
    measured on rows of 10^6 values."""
    last = min(window - 1, length)
    reads = max(0, length - window + 1) * window + max(0, last - least + 1) * (last + least) // 2
    return reads >= _OFTEN.get(dtype.name, 200) * max(length, _FEW)


def _whole(value: Any, name: str, least: int) -> int:
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}={value!r} is a bool: give a number of values")
    try:
        found = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}={value!r} is no integer: give a number of values") from None
    if found < least:
        raise ValueError(f"{name}={found} is less than {least}")
    return found


def rolling_var(
    x: Any,
    /,
    window: int,
    *,
    min_periods: int | None = None,
    correction: float = 0.0,
    axis: int = -1,
    dtype: Any = None,
) -> Any:
    """The variance of every window of `window` neighbours, correctly rounded: answer i is of the values up to x[i].

    Short windows are read one by one, long ones as exact sums from which values leave: from there on the time does not
    grow with the window, and the memory does not either. `Moments.update` and `remove` take the windows of a stream.

    Parameters
    ----------
    x : whatever `var` takes.
    window : values of a window, 1 or more.
    min_periods : the first windows, which begin before x does, have an answer if they have so many values: `window` by
        default, so that the first window - 1 answers are NaN.
    correction, dtype : as in `var`. axis : along which the windows move.

    Returns
    -------
    An array of x's shape, in the result dtype of `var`; a Series of pandas for one. NaN, without a warning, where a
    window has too few values, or a NaN or an infinity: these are forgotten when they leave it.

    Raises
    ------
    TypeError
        The window, min_periods or the axis is no integer; as `var`.
    ValueError
        The window is less than 1, min_periods more than it; the axis is out of bounds; as `var`.

    Examples
    --------
    >>> import varstudy
    >>> varstudy.rolling_var([1.0, 1e16, 3.0, 5.0, 9.0], 2)[-2:].tolist()
    [1.0, 4.0]
    """
    window = _whole(window, "window", 1)
    least = window if min_periods is None else max(1, _whole(min_periods, "min_periods", 0))
    if least > window:
        raise ValueError(f"min_periods={least} is more than window={window}")
    column = column_of(x)
    array = array_of(x if column is None else column.values)
    (along,) = normalized((axis,), array.ndim)
    fmt = result_format(array.dtype, dtype)
    ratio = correction_ratio(correction)  # also where there is no window
    moved = np.moveaxis(array, along, -1)
    rows = moved.reshape(-1, moved.shape[-1]) if moved.size else np.zeros((0, moved.shape[-1]), dtype=array.dtype)
    out = np.full(rows.shape, np.nan, dtype=fmt.dtype)
    length = rows.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        if _long(array.dtype, length, window, least):
            for part, ends, sums in window_sums(rows, window):
                block = out[part, ends]
                block[:] = sums.variances(ratio, fmt, set()).reshape(block.shape)
            out[:, : least - 1] = np.nan
            least = window
        elif length >= window and len(rows):
            windows = sliding_window_view(rows, window, axis=1)
            out[:, window - 1 :] = var(windows, axis=2, correction=correction, dtype=fmt)
        for end in range(least, min(window, length + 1)):
            out[:, end - 1] = var(rows[:, :end], axis=1, correction=correction, dtype=fmt)
    if column is not None and column.missing is not None:
        so_far = np.cumsum(column.missing)
        before = np.concatenate([np.zeros(window, dtype=so_far.dtype), so_far])[:length]
        out[0, so_far != before] = np.nan
    found = np.moveaxis(out.reshape(moved.shape), -1, along)
    index = getattr(x, "index", None)
    if column is None or not hasattr(x, "to_frame") or index is None or not hasattr(x, "iloc"):
        return found
    return type(x)(found, index=index, name=x.name)
