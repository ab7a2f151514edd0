"""The values that a norm takes together, as views of a feature map.

Every subset of a feature map is a row of a view (segments, rows, length): row r holds the values
view[:, r, :]. Where the rows of a channels-last map have no single stride, the view has a fourth, leading
dimension: (blocks, segments, rows, length) stands for the blocks' rows one after the other. With P = H W pixels:

============ ======================= ======================= ==================
norm         NCHW                    NHWC                    NC
============ ======================= ======================= ==================
``batch``    (N, C, P)               (N P, C, 1)             (N, C, 1)
``layer``    (1, N, C P)             (1, N, P C)             (1, N, C)
``instance`` (1, N C, P)             (N, P, C, 1)            (1, N C, 1)
``group``    (1, N G, C P / G)       (N, P, G, C / G)        (1, N G, C / G)
``flat``     (1, 1, N C P)           (1, 1, N P C)           (1, 1, N C)
============ ======================= ======================= ==================

``NCL`` and ``NCDHW`` are as NCHW with P = L or D H W, ``NLC`` and ``NDHWC`` as NHWC.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .formats import Format, format_of
from .layouts import LAYOUTS, NORMS, Layout, Norm
from .matching import nearest

__all__ = ["LAYOUTS", "NORMS", "Layout", "Norm", "axes_of", "groups_of", "rows_of", "view"]


def _one_of(argument: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        names = [repr(str(each)) for each in known]
        hint = nearest(repr(value), names, f"use one of {', '.join(known)}", cutoff=0.6, count=1)
        raise ValueError(f"{argument}={value!r} is unknown: {hint}")


def view(x: ArrayLike, norm: str, *, layout: str = "NCHW", groups: int | None = None) -> NDArray[Any]:
    """The rows that a norm takes together, not copied where strides allow it (for contiguous arrays always).

    Parameters
    ----------
    x : array of the layout's rank; of any rank for the norm ``flat``.
    norm : ``batch``, ``layer``, ``instance``, ``group`` or ``flat``.
    layout : ``NCHW``, ``NHWC``, ``NC``, ``NCL``, ``NLC``, ``NCDHW`` or ``NDHWC``.
    groups : for ``group``, into how many groups the channels are cut; it must divide them.

    Returns
    -------
    array (segments, rows, length), or (blocks, segments, rows, length) for instance and group norm of a
    channels-last layout, of x's dtype. Rows are ordered by sample, then channel or group.

    Raises
    ------
    ValueError
        The norm or layout is unknown, the rank does not fit the layout, or groups is missing, superfluous or
        does not divide the channels.
    """
    array = np.asarray(x)
    _one_of("norm", norm, NORMS)
    _one_of("layout", layout, LAYOUTS)
    if (groups is None) == (norm == "group"):
        need = "needs a" if norm == "group" else "takes no"
        raise ValueError(f"groups={groups!r}: norm {norm!r} {need} number of groups")
    if norm == "flat":
        return array.reshape(1, 1, -1)
    axes = axes_of(layout, array.shape)
    n, c = array.shape[0], array.shape[axes.channel_axis]
    pixels = math.prod(array.shape[a] for a in axes.spatial_axes)
    if norm == "layer":
        return array.reshape(1, n, c * pixels)
    if norm == "batch":
        return array.reshape(n * pixels, c, 1) if axes.channels_last else array.reshape(n, c, pixels)
    cut = groups_of(groups, c) if norm == "group" else c
    each = c // cut if cut else 0
    if axes.channels_last:
        return array.reshape(n, pixels, cut, each)
    return array.reshape(1, n * cut, each * pixels)


def axes_of(layout: str, shape: tuple[int, ...]) -> Layout:
    """A layout that fits a shape.

    Raises
    ------
    ValueError
        The layout is unknown, or has another rank.
    """
    _one_of("layout", layout, LAYOUTS)
    layout, axes = str(layout), Layout(layout)
    if len(shape) != axes.rank:
        raise ValueError(
            f"x has rank {len(shape)} and shape {shape}, but layout={str(layout)!r} needs rank {axes.rank}"
        )
    return axes


def groups_of(groups: object, channels: int, hint: str = "give another number") -> int:
    """A number of groups that divides the channels; `hint` ends the sentence where it does not.

    Raises
    ------
    ValueError
        It is no whole number, or does not divide the channels.
    """
    if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)):
        raise ValueError(f"groups={groups!r} is not a whole number")
    if groups < 1 or channels % groups:
        raise ValueError(f"groups={groups} does not divide the {channels} channels: {hint}")
    return int(groups)


def rows_of(view: ArrayLike) -> tuple[NDArray[Any], Format]:
    """A view checked: an array (blocks, segments, rows, length) of a known format, never copied.

    Raises
    ------
    TypeError
        The dtype is none of the four formats.
    ValueError
        It has neither three nor four dimensions.
    """
    array = np.asarray(view)
    storage = format_of(array.dtype)
    if not array.dtype.isnative:
        array = array.astype(storage.dtype)
    if array.ndim not in (3, 4):
        raise ValueError(
            f"view has shape {array.shape}: it must be (segments, rows, length), or (blocks, segments, rows, length)"
        )
    return (array if array.ndim == 4 else array[np.newaxis]), storage
