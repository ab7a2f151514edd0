"""Which values a norm takes together, as views of the feature map.

Every subset of a feature map is a row of a view (segments, rows, length): row r holds the values
view[:, r, :]. Where the rows of a channels-last map have no single stride, the view has a fourth, leading
dimension: (blocks, segments, rows, length) stands for the blocks' rows one after the other.

============ ======================= ======================= ==================
norm         NCHW                    NHWC                    NC
============ ======================= ======================= ==================
``batch``    (N, C, H W)             (N H W, C, 1)           (N, C, 1)
``layer``    (1, N, C H W)           (1, N, H W C)           (1, N, C)
``instance`` (1, N C, H W)           (N, H W, C, 1)          (1, N C, 1)
``group``    (1, N G, C H W / G)     (N, H W, G, C / G)      (1, N G, C / G)
``flat``     (1, 1, N C H W)         (1, 1, N H W C)         (1, 1, N C)
============ ======================= ======================= ==================
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .formats import Format, format_of

__all__ = ["LAYOUTS", "NORMS", "rows_of", "view"]

LAYOUTS = {"NCHW": 4, "NHWC": 4, "NC": 2}
NORMS = ("batch", "layer", "instance", "group", "flat")


def _one_of(argument: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"
        raise ValueError(f"{argument}={value!r} is unknown: {hint}")


def view(x: ArrayLike, norm: str, *, layout: str = "NCHW", groups: int | None = None) -> NDArray[Any]:
    """The rows that a norm takes together, not copied where strides allow it (for contiguous arrays always).

    Parameters
    ----------
    x : array of rank 4 (``NCHW``, ``NHWC``) or 2 (``NC``); of any rank for the norm ``flat``.
    norm : ``batch``, ``layer``, ``instance``, ``group`` or ``flat``.
    layout : ``NCHW``, ``NHWC`` or ``NC``.
    groups : for ``group``, into how many groups the channels are cut; it must divide them.

    Returns
    -------
    array (segments, rows, length), or (blocks, segments, rows, length) for instance and group norm of
    ``NHWC``, of x's dtype. Rows are ordered by sample, then channel or group.

    Raises
    ------
    ValueError
        The norm or layout is unknown, the rank does not fit the layout, or groups is missing, superfluous or
        does not divide the channels.
    """
    array = np.asarray(x)
    _one_of("norm", norm, NORMS)
    _one_of("layout", layout, tuple(LAYOUTS))
    if (groups is None) == (norm == "group"):
        need = "needs a" if norm == "group" else "takes no"
        raise ValueError(f"groups={groups!r}: norm {norm!r} {need} number of groups")
    if norm == "flat":
        return array.reshape(1, 1, -1)
    if array.ndim != LAYOUTS[layout]:
        raise ValueError(
            f"x has rank {array.ndim} and shape {array.shape}, but layout={layout!r} needs rank {LAYOUTS[layout]}"
        )
    if layout == "NHWC":
        n, h, w, c = array.shape
        pixels = array.reshape(n, h * w, c)
    else:
        n, c = array.shape[:2]
        planes = array.reshape(n, c, int(np.prod(array.shape[2:])))
    if norm == "layer":
        return array.reshape(1, n, array.size // n if n else 0)
    if norm == "batch":
        return pixels.reshape(n * h * w, c, 1) if layout == "NHWC" else planes
    cut = _groups(groups, c) if norm == "group" else c
    if layout == "NHWC":
        return pixels.reshape(n, h * w, cut, c // cut if cut else 0)
    return planes.reshape(1, n * cut, planes.shape[2] * (c // cut if cut else 0))


def _groups(groups: object, channels: int) -> int:
    if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)):
        raise ValueError(f"groups={groups!r} is not a whole number")
    if groups < 1 or channels % groups:
        raise ValueError(f"groups={groups} does not divide the {channels} channels")
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
