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
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from . import Algorithm, Moments

__all__ = ["LAYOUTS", "NORMS", "sync_batch", "view"]

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


def sync_batch(
    parts: Sequence[ArrayLike],
    *,
    layout: str = "NCHW",
    algorithm: str | Algorithm = "welford",
    accumulator: object = None,
) -> Moments:
    """Batch moments of a batch spread over devices: each device's own, then merged in the devices' order.

    The devices' batches and images may differ in size, so that their counts differ; the merge weighs them by
    their counts (Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115). A device may hold an empty
    batch.

    Parameters
    ----------
    parts : one feature map a device, all of one layout and number of channels, and of one dtype.
    layout, algorithm, accumulator : as for `view` and `varkernels.moments`.

    Returns
    -------
    Moments of one row a channel: count, mean and M2 of shape (C,), mean and M2 in the accumulator's dtype.

    Raises
    ------
    TypeError
        As for `varkernels.moments`.
    ValueError
        There is no part, or the parts' channels or dtypes differ; or as for `view` and `varkernels.moments`.
    """
    from . import moments  # noqa: PLC0415 - numba is loaded when it is needed

    if len(parts) == 0:
        raise ValueError("parts is empty: give one feature map for each device")
    views = [view(part, "batch", layout=layout) for part in parts]
    channels = {v.shape[1] for v in views}
    if len(channels) > 1:
        raise ValueError(f"parts differ in their number of channels: {sorted(channels)}")
    dtypes = {str(v.dtype) for v in views}
    if len(dtypes) > 1:
        raise ValueError(f"parts differ in dtype: {', '.join(sorted(dtypes))}")
    total = moments(views[0], algorithm, accumulator)
    for v in views[1:]:
        total = total.merge(moments(v, algorithm, accumulator))
    return total
