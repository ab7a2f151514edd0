"""Batch moments of a batch that is spread over devices."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from .algorithm import Algorithm
from .dispatch import moments
from .row_moments import Moments
from .views import view

__all__ = ["sync_batch"]


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
