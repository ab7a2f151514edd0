"""Columns and tables: pandas in, pandas out; polars and pyarrow in, numpy out.

A DataFrame of pandas reduced along one axis answers a Series with the other axis's labels. Axes mean what they mean to
numpy: None takes all values together, 0 goes down the columns, 1 along the rows. Values that are missing (pandas.NA,
null) count as NaN. Columns of different dtypes: along axis 0 and for all values together each column's exact values
count; along axis 1 the values are those that numpy finds a dtype for, so that integers beyond 2^53 next to floats are
rounded.
"""

from __future__ import annotations

from collections.abc import MutableSet
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exact.table import SumTable
from ..formats import Format
from .arguments import Request, refuse_nan
from .axes import normalized
from .columns import Column, column_of, columns_of, labels_of
from .inputs import BEYOND, Given, array_of, result_format, weights_of, where_of, wider
from .reduction import answer, from_sums
from .sums import row_sums

__all__ = ["answer_table", "given_column"]


def given_column(column: Column, where: NDArray[np.bool_] | None, request: Request) -> Given:
    """A column's values, and which of them count.

    Raises
    ------
    ValueError
        Values are missing, and nan_policy is "raise".
    """
    if column.missing is None or not request.omit:
        if column.missing is not None and request.refuse:
            refuse_nan()
        return Given(array_of(column.with_nan(), BEYOND), where, False)
    return Given(array_of(column.values), ~column.missing if where is None else where & ~column.missing, False)


def _labelled(values: Any, labels: Any, request: Request) -> Any:
    import pandas as pd  # noqa: PLC0415 - whoever handed over a DataFrame has it

    return values if request.keepdims else pd.Series(values, index=labels)


def _plain(x: Any, columns: list[Column]) -> NDArray[Any] | None:
    """All the values of a table of one plain dtype, as they lie in pandas; None for any other table."""
    dtypes = {column.values.dtype for column in columns}
    if len(dtypes) > 1 or any(column.missing is not None for column in columns):
        return None
    if labels_of(x, 0) is not None and not any(hasattr(dtype, "numpy_dtype") for dtype in x.dtypes):
        found: NDArray[Any] = array_of(x.to_numpy() if columns else np.zeros(x.shape), BEYOND)
        return found
    return None


def answer_table(x: Any, request: Request, notes: MutableSet[str]) -> list[Any] | None:
    """The answers for a column, as for its values, or for a table; None for anything else."""
    column = column_of(x)
    if column is not None:
        return answer(given_column(column, where_of(request.where, column.values.shape), request), request, notes)
    columns = columns_of(x)
    if columns is None:
        return None
    where = where_of(request.where, x.shape)
    axes = normalized(request.axis, 2)
    plain = _plain(x, columns)
    if plain is not None:
        found = answer(Given(plain, where, False), request, notes)
    elif not columns:
        found = answer(Given(np.zeros(x.shape), where, False), request, notes)
    else:
        parts = [
            given_column(column, None if where is None else where[:, j], request) for j, column in enumerate(columns)
        ]
        fmt = _common(parts, request)
        if axes == (1,) or not axes or request.method != "exact":
            found = answer(_together(parts, fmt), request, notes, fmt)
        else:
            found = _by_columns(parts, axes, fmt, request, notes)
    if len(axes) != 1:
        return found
    labels = labels_of(x, axes[0])
    return found if labels is None else [_labelled(values, labels, request) for values in found]


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
    often = weights_of(request.weights, (len(parts[0].array), len(parts)), axes)
    tables = [
        row_sums(part.array, part.where, (0,), None if often is None else often[:, j])[0]
        for j, part in enumerate(parts)
    ]
    if axes == (0,):
        shape = (1, len(tables)) if request.keepdims else (len(tables),)
        return [values.reshape(shape) for values in from_sums(SumTable.stacked(tables), fmt, request, notes)]
    found = from_sums(SumTable.together(tables), fmt, request, notes)
    return [values.reshape(1, 1) if request.keepdims else values[0] for values in found]
