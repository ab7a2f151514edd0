"""Arrays, DataFrames and Series of Dask stay lazy, and arrays of xarray keep their labels.

Each chunk's exact sums are merged in any order and rounded once at the end: the same bits for every chunking.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..formats import Format, format_of
from .arguments import Request
from .axes import normalized
from .chunks import Part, is_array, is_frame, reduced_array, reduced_frame
from .columns import is_of, labels_of
from .inputs import result_format
from .states import Kept

__all__ = ["elsewhere"]


def _answer(kept: Kept, want: str, correction: tuple[int, int], fmt: Format, omit: bool) -> Any:
    _, state = kept
    if state is None:
        return fmt.rounded(np.nan)[()]
    if want == "mean":
        return state.mean(fmt, omit)
    return (state.variance if want == "var" else state.std)(correction, fmt, omit)


def _block(part: Part, axes: tuple[int, ...], **more: Any) -> Any:
    """The answers of a block of an array, with a 1 for each of some axes."""
    kept, shape = part
    return np.expand_dims(np.broadcast_to(_answer(kept, **more), shape), axes)[()]


def _labelled(kept: Kept, labels: Any, want: str, fmt: Format, **more: Any) -> Any:
    """The answers of each column, as pandas has them."""
    import pandas as pd  # noqa: PLC0415 - whoever handed over a DataFrame has it

    values = np.broadcast_to(_answer(kept, want, fmt=fmt, **more), (len(labels),))
    return pd.Series(values, index=labels)


def _policy(request: Request) -> str:
    return "omit" if request.omit else "raise" if request.refuse else "propagate"


def _of_array(one: Callable[..., Any], wants: tuple[str, ...], x: Any, request: Request) -> list[Any]:
    axes = normalized(request.axis, x.ndim)
    fmt = result_format(x.dtype, request.dtype)
    if not axes:
        return [x.map_blocks(partial(one, want), axis=(), dtype=fmt.dtype) for want in wants]
    states = reduced_array(x, axes, request.method, _policy(request))
    more: dict[str, Any] = {"correction": request.correction, "fmt": fmt, "omit": request.omit, "dtype": fmt.dtype}
    new = axes if request.keepdims else ()
    meta = np.empty((0,) * (states.ndim + len(new)), dtype=fmt.dtype)
    more |= {"axes": new, "new_axis": new, "meta": meta}
    return [states.map_blocks(_block, want=want, **more) for want in wants]


def _of_frame(one: Callable[..., Any], wants: tuple[str, ...], x: Any, request: Request) -> list[Any]:
    axes = normalized(request.axis, x.ndim)
    if request.keepdims or not axes:
        raise ValueError("keepdims and axis=() are not taken with a DataFrame of Dask: give x.to_dask_array()")
    with warnings.catch_warnings():  # an example without rows, which has the dtypes and labels
        warnings.simplefilter("ignore", RuntimeWarning)
        metas = [one(want, x._meta, axis=request.axis) for want in wants]
    if axes == (1,):
        return [x.map_partitions(partial(one, want), axis=1, meta=m) for want, m in zip(wants, metas, strict=True)]
    more = {"correction": request.correction, "fmt": format_of(metas[0].dtype), "omit": request.omit}
    labels = labels_of(x._meta, 0) if axes == (0,) and x.ndim > 1 else None
    of: Callable[..., Any] = _answer if labels is None else partial(_labelled, labels=labels)
    axis = None if labels is None else axes
    return [
        reduced_frame(x, axis, request.method, _policy(request), partial(of, want=want, **more), meta)
        for want, meta in zip(wants, metas, strict=True)
    ]


def elsewhere(one: Callable[..., Any], wants: tuple[str, ...], x: Any, request: Request) -> list[Any] | None:
    """The answers for what Dask or xarray holds; None for anything else.

    Parameters
    ----------
    one : computes one answer with the same arguments: one(want, array, axis=, keepdims=).

    Raises
    ------
    ValueError
        `where` or `weights` are given with what Dask holds; keepdims with a DataFrame.
    """
    if is_of(x, "xarray", "DataArray"):
        return [x.reduce(partial(one, want), axis=request.axis, keepdims=request.keepdims) for want in wants]
    if not is_array(x) and not is_frame(x):
        return None
    where: Any = request.where
    if where is not True:
        kind, way = ("array", "dask.array.where(where, x, nan)") if is_array(x) else ("DataFrame", "x.where(where)")
        raise ValueError(f"where is not taken with {kind}s of Dask: give {way} and nan_policy='omit'")
    if request.weights is not None:
        raise ValueError("weights are not taken with values of Dask: give each chunk's to varstudy.Moments().update")
    return (_of_array if is_array(x) else _of_frame)(one, wants, x, request)
