"""The moments of every norm of a feature map from one read of it.

The values of one channel of one sample, a plane, belong together in every norm. So the planes' sums are taken
once, and merged for each norm: batch norm takes a channel's planes together, layer norm a sample's, group norm
a group's of a sample; instance norm takes each alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import in_default_arithmetic
from ..cuda import tensors
from ..cuda.detecting import lies_on_gpu
from ..dispatch import moments
from ..exact.rounding_one import correction_float, correction_ratio
from ..exact.table import SumTable
from ..formats import Format
from ..layouts import NORMS
from ..row_moments import Moments as Planes
from ..views import axes_of, groups_of
from .arguments import UNNAMED
from .inputs import FLOATS, array_of, result_format
from .on_gpu import method_on_gpu
from .sums import row_sums

__all__ = ["FeatureMoments", "feature_moments"]


@dataclass(frozen=True, eq=False)
class FeatureMoments:
    """The moments of the rows of one norm, one for each statistic that the norm keeps.

    Attributes
    ----------
    shape : (C,) for batch, (N,) for layer, (N, C) for instance, (N, G) for group and () for flat norm.
    dtype, format : of the answers.
    rows : the exact sums of each statistic's values, or its count, mean and M2 in x's own format.
    """

    shape: tuple[int, ...]
    format: Format
    rows: SumTable | Planes

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.format.dtype

    @cached_property
    def count(self) -> NDArray[np.int64]:
        """How many values each statistic is of."""
        counts = self.rows.count if isinstance(self.rows, Planes) else self.rows.counts
        return counts.reshape(self.shape)

    @cached_property
    def mean(self) -> NDArray[Any]:
        """The means, in the unit of the values; NaN without values."""
        if isinstance(self.rows, Planes):
            return self._stored(self.rows.mean)
        return self.rows.means(self.format, set()).reshape(self.shape)

    def variance(self, correction: float = 0.0) -> NDArray[Any]:
        """The variances, in the unit of the values squared; NaN where count <= correction.

        Parameters
        ----------
        correction : 0 for the population variance, 1 for Bessel's correction, or any other finite real number.

        Raises
        ------
        TypeError
            The correction is no real number.
        ValueError
            The correction is not finite.
        """
        ratio = correction_ratio(correction)
        if isinstance(self.rows, Planes):
            return self._stored(self.rows.variance(correction_float(ratio)))
        return self.rows.variances(ratio, self.format, set()).reshape(self.shape)

    def std(self, correction: float = 0.0) -> NDArray[Any]:
        """The standard deviations, in the unit of the values; parameters and errors are those of `variance`."""
        ratio = correction_ratio(correction)
        if isinstance(self.rows, Planes):
            with np.errstate(invalid="ignore"):
                return self._stored(np.sqrt(self.rows.variance(correction_float(ratio)).astype(np.float64)))
        return self.rows.stds(ratio, self.format, set()).reshape(self.shape)

    def _stored(self, values: Any) -> NDArray[Any]:
        return self.format.rounded(values).reshape(self.shape)


@in_default_arithmetic
def feature_moments(
    x: Any,
    norms: str | Iterable[str] = ("batch", "layer", "instance", "group"),
    *,
    layout: str = "NCHW",
    groups: int = 32,
    method: str = UNNAMED,
    dtype: Any = None,
) -> dict[str, FeatureMoments]:
    """Mean and variance of a feature map for several norms, from one read of it.

    Parameters
    ----------
    x : array of the layout's rank, as `varstudy.var` takes it; not copied. An array on a GPU is reduced there, once for
        each norm, by a CUDA kernel that is not correctly rounded, as `varstudy.var` says.
    norms : some of ``batch``, ``layer``, ``instance``, ``group`` and ``flat``.
    layout : ``NCHW``, ``NHWC``, ``NC``, ``NCL``, ``NLC``, ``NCDHW`` or ``NDHWC``.
    groups : for ``group``, into how many groups the channels are cut; it must divide them.
    method : ``exact``: every mean and variance correctly rounded. Another algorithm of the study by name:
        each plane by it, in x's own format, and the planes by Chan's merge in the same format.
    dtype : of the answers; x's own by default, float64 for integers and bool.

    Returns
    -------
    A dict from each norm to its `FeatureMoments`, with .mean, .variance(correction), .std(correction), .count. For an
    array on a GPU to its `varkernels.cuda.DeviceMoments`, which has the same, and arrays of x's kind as answers.

    Raises
    ------
    TypeError
        The dtype of x has no moments, or that of the answers is not floating-point; x is a masked array.
    ValueError
        A norm, the layout or the method is unknown, the rank does not fit the layout, or groups does not divide
        the channels.

    Examples
    --------
    >>> import numpy as np, varstudy
    >>> x = np.arange(48, dtype=np.float32).reshape(2, 6, 2, 2)
    >>> moments = varstudy.feature_moments(x, ("batch", "group"), groups=3)
    >>> moments["batch"].mean.shape, moments["group"].variance(1).shape
    ((6,), (2, 3))
    """
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError("x is a masked array, and a feature map has a value everywhere: use varstudy.var for it")
    there = tensors.described(x) if lies_on_gpu(x) else None
    array: Any = array_of(x) if there is None else there
    norms = (norms,) if isinstance(norms, str) else tuple(norms)
    for norm in norms:
        if norm not in NORMS:
            raise ValueError(f"norms has {norm!r}, which is unknown: use some of {', '.join(NORMS)}")
    axes = axes_of(layout, array.shape)
    fmt = result_format(array.dtype, dtype)
    spatial = axes.spatial_axes
    samples, channels = (n for a, n in enumerate(array.shape) if a not in spatial)
    groups = groups_of(groups, channels, "give another number, or leave 'group' out") if "group" in norms else 1
    if there is not None:
        name, wanted = method_on_gpu(method), None if dtype is None else fmt
        cut = there.split(axes.channel_axis, groups)  # (G, C / G) in the channels' place
        pixels = tuple(a if a < axes.channel_axis else a + 1 for a in spatial)
        c = axes.channel_axis
        reduced = {
            "batch": (there, (0, *spatial)),
            "layer": (there, (c, *spatial)),
            "instance": (there, spatial),
            "group": (cut, (c + 1, *pixels)),
            "flat": (there, tuple(range(there.ndim))),
        }
        return {norm: tensors.moments_of(*reduced[norm], name, wanted) for norm in norms}  # type: ignore[misc]
    places = np.arange(samples * channels).reshape(samples, channels)
    tables = {
        "batch": ((channels,), places.T),
        "layer": ((samples,), places),
        "instance": ((samples, channels), places.reshape(-1, 1)),
        "group": ((samples, groups), places.reshape(samples * groups, channels // groups)),
        "flat": ((), places.reshape(1, -1)),
    }
    fold: Fold = _plane_sums(array, spatial).join if method == "exact" else _fold(array, spatial, method)
    return {norm: FeatureMoments(tables[norm][0], fmt, fold(tables[norm][1])) for norm in norms}


def _plane_sums(array: NDArray[Any], spatial: tuple[int, ...]) -> SumTable:
    """The sums of every plane, by sample and channel."""
    sums, arrange = row_sums(array, None, spatial)
    kept = tuple(n for a, n in enumerate(array.shape) if a not in spatial)
    return sums.join(arrange(np.arange(len(sums)), kept).reshape(-1, 1))


def _planes(array: NDArray[Any], spatial: tuple[int, ...]) -> NDArray[Any]:
    """A view (blocks, segments, rows, length) whose rows are the planes, by sample and channel."""
    native = array.dtype.newbyteorder("=")
    array = array.astype(native if native in FLOATS else np.float64, copy=False)
    if spatial[:1] == (1,):  # channels last
        n, *pixels, c = array.shape
        return array.reshape(n, math.prod(pixels), c, 1)
    n, c = array.shape[:2]
    return array.reshape(1, 1, n * c, -1) if array.size else np.zeros((1, 1, n * c, 0), dtype=array.dtype)


# From a table of places, a row of planes for each answer, to the moments of each row's planes together.
Fold = Callable[[NDArray[np.intp]], SumTable | Planes]


def _fold(array: NDArray[Any], spatial: tuple[int, ...], method: str) -> Fold:
    view = _planes(array, spatial)
    planes = moments(view, method, FLOATS[view.dtype])
    return lambda table: _folded(planes, table)


def _folded(planes: Planes, table: NDArray[np.intp]) -> Planes:
    """The planes of each row of a table of places merged, in pairs of neighbours."""
    if not table.shape[1]:
        nothing = np.full(len(table), np.nan)
        stored = planes.accumulator.rounded(nothing)
        return Planes(np.zeros(len(table), dtype=np.int64), stored, stored, planes.accumulator)

    def of(places: NDArray[Any]) -> Planes:
        return Planes(count[places], mean[places], m2[places], planes.accumulator)

    count, mean, m2 = planes.count, planes.mean, planes.m2
    while table.shape[1] > 1:
        left, right = table[:, 0::2], table[:, 1::2]
        pairs, alone = left[:, : right.shape[1]], left[:, right.shape[1] :]  # one is left over of an odd number
        merged = of(pairs.ravel()).merge(of(right.ravel()))
        count, mean, m2 = (
            np.concatenate([new.reshape(right.shape), old[alone]], axis=1).ravel()
            for new, old in ((merged.count, count), (merged.mean, mean), (merged.m2, m2))
        )
        table = np.arange(left.size).reshape(left.shape)
    return of(table[:, 0])
