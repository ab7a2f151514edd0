"""Answers of groups: values with the same label go together.

The values are brought into the order of their groups, the groups of one size next to each other. So all groups of one
size are the rows of one array, which is answered as any array is; there are few sizes, however many groups.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, MutableSet
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arguments import Request
from .axes import normalized
from .chunks import is_array, is_frame
from .columns import column_of, columns_of, is_of
from .inputs import Given, given, weights_of, where_of
from .labels import numbered
from .reduction import answer
from .tables import given_column

__all__ = ["answer_groups"]

_DIGIT = 2**16


def _order(keys: NDArray[np.int64], largest: int) -> NDArray[np.intp]:
    """The stable order of keys from 0 up: numpy sorts 16-bit integers by counting."""
    order = np.argsort((keys % _DIGIT).astype(np.uint16), kind="stable")
    above = largest // _DIGIT
    while above:
        keys = keys // _DIGIT
        order = order[np.argsort((keys % _DIGIT).astype(np.uint16)[order], kind="stable")]
        above //= _DIGIT
    return order


class _Groups:
    """Which values go together.

    count : of groups. size : of the labels, missing ones included.
    """

    def __init__(self, numbers: NDArray[np.int64], count: int) -> None:
        self.size, self.count = len(numbers), count
        sizes = np.bincount(numbers + 1, minlength=count + 1)[1:]
        self._places = np.argsort(sizes, kind="stable")
        rank = np.full(count + 1, count, dtype=np.int64)  # the last one, of the number -1: behind all others
        rank[self._places] = np.arange(count)
        self._order = _order(rank[numbers], count)[: int(sizes.sum())]
        self._sizes = sizes[self._places]

    def _rows(self, array: NDArray[Any], axis: int) -> Iterator[NDArray[Any]]:
        """For each size, the groups' values (groups, size, others)."""
        sorted_ = np.take(np.moveaxis(array, axis, 0), self._order, axis=0)
        begin = 0
        for size, groups in zip(*np.unique(self._sizes, return_counts=True), strict=True):
            end = begin + int(size * groups)
            yield sorted_[begin:end].reshape(groups, size, *sorted_.shape[1:])
            begin = end
        if not self.count:
            yield sorted_.reshape(0, 1, *sorted_.shape[1:])

    def answers(
        self, source: Given, axis: int, weights: NDArray[Any] | None, request: Request, notes: MutableSet[str]
    ) -> list[Any]:
        """The wanted answers of each group, in the labels' order along the axis."""
        each = copy.copy(request)
        each.axis, each.keepdims = 1, False
        nothing = iter(lambda: None, 0)
        found: list[Any] = []
        begin = 0
        for values, where, often in zip(
            self._rows(source.array, axis),
            nothing if source.where is None else self._rows(source.where, axis),
            nothing if weights is None else self._rows(weights, axis),
            strict=False,
        ):
            each.weights = often
            answers = answer(Given(values, where, source.masked), each, notes)
            if not found:
                shape = (self.count, *values.shape[2:])
                found = [
                    np.ma.masked_array(np.empty(shape, part.dtype), mask=True)
                    if source.masked
                    else np.empty(shape, part.dtype)
                    for part in answers
                ]
            for whole, part in zip(found, answers, strict=True):
                whole[self._places[begin : begin + len(values)]] = part
            begin += len(values)
        return [np.moveaxis(whole, 0, axis) for whole in found]


def _grouped(x: Any, by: Any, length: int) -> tuple[_Groups, Any]:
    """The groups of so many values, and their labels."""
    theirs = getattr(x, "index", None)
    if is_of(by, "pandas", "Series") and is_of(x, "pandas", "Series", "DataFrame") and not by.index.equals(theirs):
        raise ValueError("by has another index than x: give by.reindex(x.index), or by.to_numpy() for labels in order")
    numbers, labels = numbered(by)
    if len(numbers) != length:
        raise ValueError(
            f"by has {len(numbers)} label{'s' * (len(numbers) != 1)}, and x has {length} values along the axis"
        )
    return _Groups(numbers, len(labels)), labels


def answer_groups(x: Any, by: Any, request: Request, notes: MutableSet[str]) -> list[Any]:
    """The wanted answers of each group of labels.

    Raises
    ------
    TypeError, ValueError
        As `labels.numbered`; there is not one label for each value along the one axis; x is lazy or labelled by
        another library than pandas.
    """
    if is_array(x) or is_frame(x) or is_of(x, "xarray", "DataArray"):
        raise TypeError(
            f"by is not taken with {type(x).__module__.partition('.')[0]}: give numpy arrays, or use its groupby"
        )
    if request.keepdims:
        raise ValueError("keepdims is not taken with by: the groups lie along the axis")
    columns, column = columns_of(x), column_of(x)
    if columns is not None:
        return _of_table(x, columns, by, request, notes)
    source = (
        given(x, request.where)
        if column is None
        else given_column(column, where_of(request.where, column.values.shape), request)
    )
    array = source.array
    axes = normalized(request.axis, array.ndim)
    if len(axes) != 1:
        raise ValueError("by takes one axis: give axis=0, or the one that the labels are of")
    groups, labels = _grouped(x, by, array.shape[axes[0]])
    found = groups.answers(source, axes[0], weights_of(request.weights, array.shape, axes), request, notes)
    if not is_of(x, "pandas", "Series"):
        return found
    import pandas as pd  # noqa: PLC0415 - whoever handed over a Series has it

    index = pd.Index(labels, name=getattr(by, "name", None))
    return [pd.Series(values, index=index, name=x.name) for values in found]


def _of_table(x: Any, columns: list[Any], by: Any, request: Request, notes: MutableSet[str]) -> list[Any]:
    if request.axis is None or normalized(request.axis, 2) != (0,):
        raise ValueError("by takes the rows of a table: give axis=0")
    groups, labels = _grouped(x, by, x.shape[0])
    where, often = where_of(request.where, x.shape), weights_of(request.weights, x.shape, (0,))
    parts = [
        groups.answers(
            given_column(column, None if where is None else where[:, j], request),
            0,
            None if often is None else often[:, j],
            request,
            notes,
        )
        for j, column in enumerate(columns)
    ]
    found = list(zip(*parts, strict=True)) or [()] * len(request.wants)
    if not is_of(x, "pandas", "DataFrame"):
        return [np.stack(each, axis=1) if each else np.zeros((groups.count, 0)) for each in found]
    import pandas as pd  # noqa: PLC0415 - whoever handed over a DataFrame has it

    index = pd.Index(labels, name=getattr(by, "name", None))
    tables = [pd.DataFrame(dict(enumerate(each)), index=index) for each in found]
    return [table.set_axis(x.columns, axis=1) for table in tables]
