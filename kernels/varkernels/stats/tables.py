"""pandas in, pandas out: a DataFrame reduced along one axis answers a Series with the other axis's labels.

Axes mean what they mean to numpy: None takes all values together, 0 goes down the columns, 1 along the rows.
The values of a column that may be missing (pandas.NA) count as NaN. Columns of different dtypes: along axis 0
and for all values together each column's exact values count; along axis 1 the values are those of
`DataFrame.to_numpy()`, so that integers beyond 2^53 next to floats are rounded by pandas.
"""

from __future__ import annotations

from collections.abc import MutableSet
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exact.table import SumTable
from ..formats import Format
from .axes import normalized
from .inputs import Given, array_of, result_format, where_of, wider
from .reduction import Request, answer, from_sums, refuse_nan
from .sums import row_sums

__all__ = ["answer_table"]


def _column(series: Any, request: Request) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """A column's values, and which of them count (None: all).

    Raises
    ------
    TypeError
        Its dtype has no moments.
    ValueError
        Values are missing, and nan_policy is "raise".
    """
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return array_of(series.to_numpy()), None
    inner = getattr(dtype, "numpy_dtype", None)
    if not isinstance(inner, np.dtype) or inner.kind not in "biuf":
        raise TypeError(f"x has the dtype {dtype}, which has no mean and variance here: give numbers")
    missing = series.isna().to_numpy(dtype=bool)
    if not missing.any():
        return array_of(series.to_numpy(dtype=inner)), None
    if request.refuse:
        refuse_nan()
    if request.omit:
        return array_of(series.to_numpy(dtype=inner, na_value=inner.type(0))), ~missing
    return array_of(series.to_numpy(dtype=inner if inner.kind == "f" else np.float64, na_value=np.nan)), None


def _given(column: tuple[NDArray[Any], NDArray[np.bool_] | None], where: NDArray[np.bool_] | None) -> Given:
    array, counted = column
    if counted is not None and where is not None:
        counted = counted & where
    return Given(array, where if counted is None else counted, False)


def _labelled(values: Any, labels: Any, request: Request) -> Any:
    import pandas as pd  # noqa: PLC0415 - whoever handed over a DataFrame has it

    return values if request.keepdims else pd.Series(values, index=labels)


def answer_table(x: Any, request: Request, notes: MutableSet[str]) -> list[Any]:
    """The answers for a Series, as for its values, or for a DataFrame."""
    where = where_of(request.where, x.shape)
    if x.ndim == 1:
        return answer(_given(_column(x, request), where), request, notes)
    axes = normalized(request.axis, 2)
    columns = [x.iloc[:, j] for j in range(x.shape[1])]
    dtypes = {column.dtype for column in columns}
    if len(dtypes) <= 1 and all(isinstance(dtype, np.dtype) for dtype in dtypes):
        found = answer(Given(array_of(x.to_numpy() if columns else np.zeros(x.shape)), where, False), request, notes)
    else:
        parts = [
            _given(_column(column, request), None if where is None else where[:, j]) for j, column in enumerate(columns)
        ]
        fmt = _common(parts, request)
        if axes == (1,) or not axes or request.method != "exact":
            found = answer(_together(parts, fmt), request, notes, fmt)
        else:
            found = _by_columns(parts, axes, fmt, request, notes)
    if len(axes) != 1:
        return found
    labels = x.columns if axes == (0,) else x.index
    return [_labelled(values, labels, request) for values in found]


def _common(parts: list[Given], request: Request) -> Format:
    fmt = result_format(parts[0].array.dtype, request.dtype)
    for part in parts[1:]:
        fmt = wider(fmt, result_format(part.array.dtype, request.dtype))
    return fmt


def _together(parts: list[Given], fmt: Format) -> Given:
    """The columns as one array, in the dtype that numpy finds for all of them."""
    dtype = np.result_type(*[part.array.dtype for part in parts])
    array = np.stack([part.array.astype(dtype) for part in parts], axis=1)
    if all(part.where is None for part in parts):
        return Given(array, None, False)
    masks = [np.ones(len(array), dtype=bool) if part.where is None else part.where for part in parts]
    return Given(array, np.stack(masks, axis=1), False)


def _by_columns(
    parts: list[Given], axes: tuple[int, ...], fmt: Format, request: Request, notes: MutableSet[str]
) -> list[Any]:
    """The exact answers of each column, or of all of them together."""
    tables = [row_sums(part.array, part.where, (0,))[0] for part in parts]
    if axes == (0,):
        shape = (1, len(tables)) if request.keepdims else (len(tables),)
        return [values.reshape(shape) for values in from_sums(SumTable.stacked(tables), fmt, request, notes)]
    found = from_sums(SumTable.together(tables), fmt, request, notes)
    return [values.reshape(1, 1) if request.keepdims else values[0] for values in found]
