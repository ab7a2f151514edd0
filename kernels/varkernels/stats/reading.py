"""From what a caller hands to `streaming.Moments` to a format and a state."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exact.table import SumTable
from ..formats import Format
from .arguments import refuse_nan
from .axes import normalized
from .columns import Column, column_of, columns_of
from .inputs import array_of, result_format, weights_of, wider
from .states import Rows, State, joined, state_of

__all__ = ["read"]

Axes = tuple[int, ...] | None
Found = tuple[Format, State | None]


def _of_array(
    array: NDArray[Any], mask: NDArray[np.bool_] | None, weights: Any, axes: Axes, method: str, nan_policy: str
) -> Found:
    often = weights_of(weights, array.shape, axes)
    fmt = result_format(array.dtype, None)
    if not array.size:
        return fmt, None
    if often is not None:
        mask = often != 0 if mask is None else mask & (often != 0)
    by_name = method != "exact"  # exact sums have their NaN counted apart
    if array.dtype.kind not in "biu" and (nan_policy == "raise" or (nan_policy == "omit" and by_name)):
        with np.errstate(invalid="ignore"):  # a signalling NaN
            number = ~np.isnan(array)
        if nan_policy == "raise" and not (number if mask is None else number | ~mask).all():
            refuse_nan()
        if nan_policy == "omit":
            mask = number if mask is None else number & mask
    return fmt, state_of(array, mask, often, axes, method)


def _of_column(column: Column, weights: Any, axes: Axes, method: str, nan_policy: str) -> Found:
    if column.missing is not None and nan_policy == "raise":
        refuse_nan()
    if column.missing is not None and nan_policy == "omit":
        return _of_array(array_of(column.values), ~column.missing, weights, axes, method, nan_policy)
    return _of_array(array_of(column.with_nan()), None, weights, axes, method, nan_policy)


def _of_table(columns: list[Column], weights: Any, axes: Axes, method: str, nan_policy: str) -> Found:
    """The exact sums of each column by itself, whatever their dtypes; along the rows as one array."""
    if method != "exact" or axes == (1,) or not columns:
        whole = np.stack([column.with_nan() for column in columns], axis=1) if columns else np.zeros((0, 0))
        return _of_array(whole, None, weights, axes, method, nan_policy)
    often = None if weights is None else np.asarray(weights)
    parts = [
        _of_column(
            column,
            often
            if often is None or often.ndim < 2
            else np.broadcast_to(often, (len(column.values), len(columns)))[:, j],
            None if axes is None else (0,),
            method,
            nan_policy,
        )
        for j, column in enumerate(columns)
    ]
    fmt = parts[0][0]
    for other, _ in parts[1:]:
        fmt = wider(fmt, other)
    if axes != (0,):
        return fmt, joined(parts)[1]
    tables = [state.table for _, state in parts if isinstance(state, Rows)]
    return fmt, Rows((len(parts),), SumTable.stacked(tables)) if tables else None


def read(x: Any, weights: Any, axis: int | tuple[int, ...] | None, method: str, nan_policy: str) -> Found:
    """The format and the state of the values; no state where there are none.

    Parameters
    ----------
    x : what `varstudy.var` takes. weights, axis, method, nan_policy : as `Moments` has them.

    Raises
    ------
    TypeError, ValueError
        As `Moments.update`.
    """
    if type(x) is not np.ndarray:
        columns = columns_of(x)
        if columns is not None:
            return _of_table(columns, weights, None if axis is None else normalized(axis, 2), method, nan_policy)
        column = column_of(x)
        if column is not None:
            return _of_column(column, weights, None if axis is None else normalized(axis, 1), method, nan_policy)
    array = array_of(x)
    mask = ~np.ma.getmaskarray(x) if isinstance(x, np.ma.MaskedArray) else None
    return _of_array(array, mask, weights, None if axis is None else normalized(axis, array.ndim), method, nan_policy)
