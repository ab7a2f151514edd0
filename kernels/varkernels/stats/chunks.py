"""Exact states of Dask's arrays, DataFrames and Series: of each chunk by itself, merged in any order.

They go through Dask's own tree reductions as objects, as those of its own variance go through it as dicts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exact.table import SumTable
from . import reading
from .axes import normalized
from .columns import is_of
from .states import Kept, Named, Rows, joined

__all__ = ["is_array", "is_frame", "read", "reduced_array", "reduced_frame"]

# What a chunk of an array leaves, and the shape of its features, which no values do not tell.
Part = tuple[Kept, tuple[int, ...]]


def is_array(x: Any) -> bool:
    return is_of(x, "dask.array", "Array")


def is_frame(x: Any) -> bool:
    """Whether it is a DataFrame or a Series of Dask."""
    return is_of(x, "dask.dataframe", "DataFrame", "Series")


def _flat(parts: Any) -> Iterator[Part]:
    if isinstance(parts, tuple):
        yield parts
    else:
        for part in parts:
            yield from _flat(part)


def _chunk(
    x: Any,
    axis: tuple[int, ...],
    keepdims: bool,
    whole: bool,
    method: str,
    nan_policy: str,
    computing_meta: bool = False,
) -> Any:
    if computing_meta:  # Dask asks for an array, to learn of its kind
        return x
    kept = reading.read(x, None, None if whole else axis, method, nan_policy)
    return kept, tuple(size for a, size in enumerate(x.shape) if a not in axis)


def _combine(parts: Any, axis: Any, keepdims: bool) -> Part:
    found = list(_flat(parts))
    return joined(kept for kept, _ in found), found[0][1]


def reduced_array(x: Any, axis: int | tuple[int, ...] | None, method: str, nan_policy: str) -> Any:
    """A lazy array whose blocks are no arrays, but a `Part` each; None for the axis: of all values together. Whatever
    is made of it and computed at once reads the chunks once."""
    axes = normalized(axis, x.ndim)
    return sys.modules["dask.array"].reduction(
        x,
        partial(_chunk, whole=axis is None, method=method, nan_policy=nan_policy),
        _combine,
        combine=_combine,
        axis=axes,
        dtype=object,
        concatenate=False,
        meta=np.empty((0,) * (x.ndim - len(axes)), dtype=object),
        name="varstudy",
    )


def _boxed(kept: Kept) -> Any:
    """An object of pandas that holds one thing: what Dask can put one after the other."""
    box = np.empty(1, dtype=object)
    box[0] = kept
    return sys.modules["pandas"].Series(box)


def _partition(x: Any, axis: int | tuple[int, ...] | None, method: str, nan_policy: str) -> Any:
    return _boxed(reading.read(x, None, axis, method, nan_policy))


def _unboxed(boxes: Any) -> Kept:
    return joined(boxes.to_numpy().reshape(-1))


def _merged(boxes: Any) -> Any:
    return _boxed(_unboxed(boxes))


def _answered(boxes: Any, answer: Callable[[Kept], Any]) -> Any:
    return answer(_unboxed(boxes))


def reduced_frame(
    x: Any,
    axis: int | tuple[int, ...] | None,
    method: str,
    nan_policy: str,
    answer: Callable[[Kept], Any],
    meta: Any,
) -> Any:
    """The lazy answer for the state of all partitions' rows."""
    return x.reduction(
        _partition,
        aggregate=_answered,
        combine=_merged,
        meta=meta,
        chunk_kwargs={"axis": axis, "method": method, "nan_policy": nan_policy},
        aggregate_kwargs={"answer": answer},
    )


def _block(places: Iterable[NDArray[Any]], shape: tuple[int, ...]) -> NDArray[Any]:
    """Arrays, one for each place of a grid, put together to one."""
    grid = np.empty(shape, dtype=object)
    for at, each in zip(np.ndindex(shape), places, strict=True):
        grid[at] = each
    return np.block(grid.tolist())


def _stitched(parts: list[Kept], grid: tuple[int, ...]) -> Kept:
    """The features of several blocks as those of the whole."""
    if len(parts) == 1:
        return parts[0]
    fmt, _ = joined((each, None) for each, _ in parts)
    states: list[Any] = [state for _, state in parts]
    if any(state is None for state in states):  # there are no values, or no features here
        return fmt, None
    if isinstance(states[0], Named):
        names = ("n", "high", "low", "m2")
        return fmt, Named(*(_block((getattr(state, name) for state in states), grid) for name in names))
    sizes = np.cumsum([0] + [len(state.table) for state in states])
    places = [at + np.arange(len(s.table)).reshape(s.shape) for at, s in zip(sizes, states, strict=False)]
    order = _block(places, grid)
    return fmt, Rows(order.shape, SumTable.stacked([state.table for state in states]).join(order.reshape(-1, 1)))


def _of_array(x: Any, axis: int | tuple[int, ...] | None, method: str, nan_policy: str) -> Kept:
    if not normalized(axis, x.ndim):
        return reading.read(x.compute(), None, axis, method, nan_policy)
    lazy = reduced_array(x, axis, method, nan_policy).to_delayed()
    parts = sys.modules["dask"].compute(*lazy.reshape(-1).tolist())
    return _stitched([kept for kept, _ in parts], lazy.shape)


def read(x: Any, weights: Any, axis: int | tuple[int, ...] | None, method: str, nan_policy: str) -> Kept:
    """`reading.read`, also of what Dask holds: computed now, chunk by chunk, as Dask's scheduler has it.

    Raises
    ------
    TypeError, ValueError
        As `reading.read`; there are weights, for values of Dask.
    """
    if is_of(x, "xarray", "DataArray"):
        x = x.data
    if not is_array(x) and not is_frame(x):
        return reading.read(x, weights, axis, method, nan_policy)
    if weights is not None:
        raise ValueError("weights are not taken with values of Dask: give each chunk's to update")
    if is_array(x):
        return _of_array(x, axis, method, nan_policy)
    return _unboxed(reduced_frame(x, axis, method, nan_policy, _boxed, _boxed((None, None))).compute())
