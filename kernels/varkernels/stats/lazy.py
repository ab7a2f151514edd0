"""Arrays of Dask stay lazy, and arrays of xarray keep their labels.

Each chunk's exact moments are merged in any order and rounded once at the end: the same bits for every chunking. They
go through `dask.array.reduction` as objects, as those of Dask's own variance go through it as dicts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from .axes import normalized
from .columns import is_of
from .inputs import result_format
from .reduction import Request
from .streaming import Moments

__all__ = ["elsewhere"]

# What one chunk leaves: its moments, and the shape of what is kept, which no values do not tell.
Part = tuple[Moments, tuple[int, ...]]


def _flat(parts: Any) -> Iterator[Part]:
    if isinstance(parts, tuple):
        yield parts
    else:
        for part in parts:
            yield from _flat(part)


def _chunk(
    x: Any, axis: tuple[int, ...], keepdims: bool, make: Callable[..., Moments], computing_meta: bool = False
) -> Any:
    if computing_meta:  # Dask asks for an array, to learn of its kind
        return x
    return make(axis=axis).update(x), tuple(size for a, size in enumerate(x.shape) if a not in axis)


def _combine(parts: Any, axis: tuple[int, ...], keepdims: bool) -> Part:
    found = list(_flat(parts))
    return Moments.merged(each for each, _ in found), found[0][1]


def _aggregate(parts: Any, axis: tuple[int, ...], keepdims: bool, want: str, correction: Any) -> Any:
    whole, shape = _combine(parts, axis, keepdims)
    value = whole.mean if want == "mean" else (whole.variance if want == "var" else whole.std)(correction)
    found = np.broadcast_to(value, shape)
    return np.expand_dims(found, axis) if keepdims else found


def _lazily(want: str, x: Any, axes: tuple[int, ...], request: Request) -> Any:
    dask: Any = sys.modules["dask.array"]
    fmt = result_format(x.dtype, request.dtype)
    policy = "omit" if request.omit else "raise" if request.refuse else "propagate"
    kept = x.ndim if request.keepdims else x.ndim - len(axes)
    return dask.reduction(
        x,
        partial(_chunk, make=partial(Moments, request.method, nan_policy=policy, dtype=fmt)),
        partial(_aggregate, want=want, correction=Fraction(*request.correction)),
        combine=_combine,
        axis=axes,
        keepdims=request.keepdims,
        dtype=fmt.dtype,
        concatenate=False,
        meta=np.empty((0,) * kept, dtype=fmt.dtype),
        name=f"varstudy-{want}",
    )


def elsewhere(one: Callable[..., Any], wants: tuple[str, ...], x: Any, request: Request) -> list[Any] | None:
    """The answers for an array of Dask or xarray; None for anything else.

    Parameters
    ----------
    one : computes one answer with the same arguments: one(want, array, axis=, keepdims=).

    Raises
    ------
    ValueError
        `where` or `weights` are given with an array of Dask.
    """
    if is_of(x, "xarray", "DataArray"):
        return [x.reduce(partial(one, want), axis=request.axis, keepdims=request.keepdims) for want in wants]
    if not is_of(x, "dask.array", "Array"):
        return None
    where: Any = request.where
    if where is not True:
        raise ValueError(
            "where is not taken with an array of Dask: give dask.array.where(where, x, nan) and nan_policy='omit'"
        )
    if request.weights is not None:
        raise ValueError("weights are not taken with an array of Dask: give its chunks to varstudy.Moments().update")
    axes = normalized(request.axis, x.ndim)
    if len(axes) == 0:
        fmt = result_format(x.dtype, request.dtype)
        return [x.map_blocks(partial(one, want), axis=(), dtype=fmt.dtype) for want in wants]
    return [_lazily(want, x, axes, request) for want in wants]
