"""Moments of an array on a GPU: launched on its stream, and left on it."""

from __future__ import annotations

import math
import struct
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...formats import FLOAT64, Format
from ..catalogue import Algorithm, accumulator_of, get
from ..devices.gpu import Gpu
from ..launch_plan import Geometry, Plan, geometry_of, plan
from .choosing import by_default
from .cutting import Cut, cut, rows_cut
from .describing import DeviceArray, Place

__all__ = ["DeviceMoments", "moments_of", "moments_of_rows"]

_WANTS = {"mean": 0, "m2": 1, "var": 2, "std": 3}
_KINDS = {name: number for number, name in enumerate(("float16", "bfloat16", "float32", "float64"))}
_THREADS, _MOST_BLOCKS = 128, 4096
_ALIGNED = 256


@cache
def _text() -> str:
    return (Path(__file__).parent / "answers.ptx").read_text(encoding="utf-8")


@lru_cache(maxsize=4096)
def _plan(geometry: Geometry, algorithm: Algorithm, storage: Format, accumulator: Format, contracted: bool) -> Plan:
    return plan(geometry, algorithm, storage, accumulator, contracted)


class DeviceMoments:
    """Count, mean and sum of squared deviations of each row, on the GPU where the values lie.

    Not correctly rounded: what `algorithm` answers, whose worst-case error is its formula's bound, with the run and the
    merges that `varkernels.cuda.shape_of_sum` gives. Each answer is an array of the values' kind, in the same stream's
    order; asking for it waits for nothing.

    Attributes
    ----------
    shape : of the answers.
    dtype, format : of the answers.
    count : int64 array of numpy's, how many values each answer is of.
    accumulator : the format of every operation: float32, or float64 for float64 values.
    algorithm : its name, as `varkernels.cuda.algorithms()` has it; empty where there are no values.
    """

    def __init__(
        self, place: Place, shape: tuple[int, ...], values: int, accumulator: Format, fmt: Format, cuts: list[Cut]
    ) -> None:
        self.shape, self.accumulator, self.format, self.algorithm = shape, accumulator, fmt, ""
        self._place, self._values, self._cuts = place, values, cuts
        self._firsts: list[int] = []
        self._pairs: Any = None
        self._address = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.format.dtype

    @property
    def count(self) -> NDArray[np.int64]:
        return np.full(self.shape, self._values, dtype=np.int64)

    def __len__(self) -> int:
        return math.prod(self.shape)

    def __repr__(self) -> str:
        rows = f"{len(self)} row{'s' * (len(self) != 1)} of {self._values} values"
        return f"<DeviceMoments of {rows} by {self.algorithm or 'nothing'}, on GPU {self._place.ordinal}>"

    @property
    def mean(self) -> Any:
        """The means, in the unit of the values; NaN without values."""
        return self._answers("mean", math.nan)

    @property
    def m2(self) -> Any:
        """The sums of squared deviations, in the accumulator's format."""
        return self._answers("m2", math.nan, self.accumulator)

    def variance(self, correction: float = 0.0) -> Any:
        """M2 / (count - correction), NaN where count <= correction.

        Parameters
        ----------
        correction : 0 for the population variance, 1 for Bessel's correction, or any other finite number.

        Raises
        ------
        ValueError
            The correction is not a finite number.
        """
        return self._answers("var", self._divisor(correction))

    def std(self, correction: float = 0.0) -> Any:
        """The square root of the variance; parameters and errors are those of `variance`."""
        return self._answers("std", self._divisor(correction))

    def _divisor(self, correction: float) -> float:
        correction = float(correction)
        if not math.isfinite(correction):
            raise ValueError(f"correction={correction!r}: give a finite number, such as 0 or 1")
        divisor = float(self._values) - correction
        return divisor if divisor > 0 else math.nan

    def answers(self, want: str, correction: float, shape: tuple[int, ...] | None = None) -> Any:
        """One kind of answer by its name, ``mean``, ``var`` or ``std``, in another shape of as many."""
        return self._answers(want, math.nan if want == "mean" else self._divisor(correction), None, shape)

    def _answers(
        self, want: str, divisor: float, fmt: Format | None = None, shape: tuple[int, ...] | None = None
    ) -> Any:
        fmt = self.format if fmt is None else fmt
        made, address = self._place.empty(self.shape if shape is None else shape, fmt)
        if len(self):
            gpu = Gpu.get(self._place.ordinal)
            kernel = gpu.kernel("answers", _text())
            wide, bits = int(self.accumulator is FLOAT64), struct.unpack("<q", struct.pack("<d", divisor))[0]
            size = fmt.dtype.itemsize
            pair = 2 * self.accumulator.dtype.itemsize
            for each, first in zip(self._cuts, self._firsts, strict=True):
                pairs = self._address + first * pair if self._values else 0
                grid = min(-(-each.rows // _THREADS), _MOST_BLOCKS)
                arguments = (
                    pairs, each.rows, wide, _WANTS[want], bits, _KINDS[fmt.name], address + each.first * size,
                    each.view.shape[2], each.block_step * size, each.row_step * size,
                )  # fmt: skip
                gpu.launch(kernel, grid, _THREADS, arguments, self._place.stream)
        return self._place.handed(made)

    def launch(self, storage: Format, method: str | None, contracted: bool = True) -> None:
        """Launch what leaves the means and M2s; once, before the first answer."""
        total = 0
        for each in self._cuts:
            self._firsts.append(total)
            total += each.rows
        if not total or not self._values:
            if method is not None:
                get(method)  # unknown names are refused all the same
            return
        plans = []
        for each in self._cuts:
            geometry = geometry_of(each.view)  # type: ignore[arg-type]
            algorithm = get(by_default(geometry) if method is None else method)
            if algorithm.order == "exact":  # its answers are digits, which the computer rounds
                raise ValueError(
                    f"{algorithm.name} is not computed for an array on a GPU: copy it to the computer's memory, "
                    "or name another algorithm"
                )
            plans.append(_plan(geometry, algorithm, storage, self.accumulator, contracted))
            self.algorithm = algorithm.name
        gpu = Gpu.get(self._place.ordinal)
        for launch in {launch.kernel.name: launch for made in plans for launch in made.launches}.values():
            gpu.kernel(launch.kernel.name)  # compiled before anything is allocated or launched
        self._pairs, self._address = self._place.empty((total, 2), self.accumulator)
        offsets, size = _offsets(plans)
        scratch, base = self._place.empty((size // 8,), FLOAT64) if size else (None, 0)
        pair = 2 * self.accumulator.dtype.itemsize
        for each, made, first in zip(self._cuts, plans, self._firsts, strict=True):
            places = {name: base + offsets[name] for name in made.buffers if name != "answers"}
            places |= {"data": each.view.address, "answers": self._address + first * pair}
            gpu.launch_plan(made, places, self._place.stream)
        del scratch  # its library gives it to nobody before the stream is past these launches


def _offsets(plans: list[Plan]) -> tuple[dict[str, int], int]:
    """Where each buffer but the answers begins in a common scratch, and its bytes: plans follow each other."""
    sizes: dict[str, int] = {}
    for each in plans:
        for name, (dtype, count) in each.buffers.items():
            sizes[name] = max(sizes.get(name, 0), dtype.itemsize * count)
    offsets, end = {}, 0
    for name, size in sizes.items():
        if name != "answers":
            offsets[name] = end
            end += -(-size // _ALIGNED) * _ALIGNED
    return offsets, end


def _result(accumulator: Format, storage: Format, wanted: Format | None) -> Format:
    if wanted is None:
        return storage
    if wanted.precision > accumulator.precision:
        raise ValueError(
            f"dtype={wanted}: the kernels accumulate {storage} values in {accumulator}; convert x to {wanted} first"
        )
    return wanted


def moments_of(
    array: DeviceArray, axes: tuple[int, ...], method: str | None = None, wanted: Format | None = None
) -> DeviceMoments:
    """The moments of an array over some axes, in the shape of the others.

    Parameters
    ----------
    method : a name from `varkernels.cuda.algorithms()`; None for the library's choice.
    wanted : the answers' format; None for the values' own.

    Raises
    ------
    ValueError
        The method is unknown, the format wider than the accumulator, or the strides are not taken.
    DeviceError
        The GPU or its driver cannot do it.
    """
    accumulator = accumulator_of(array.format)
    fmt = _result(accumulator, array.format, wanted)
    shape = tuple(size for a, size in enumerate(array.shape) if a not in axes)
    values = math.prod(array.shape[a] for a in axes)
    if array.size:
        cuts = cut(array, axes)
    else:  # answers without values
        rows = math.prod(shape)
        cuts = [Cut(array.seen((1, values, rows, 0), (0, 0, 0, 0)), 0, rows, 1)]
    found = DeviceMoments(array.place, shape, values, accumulator, fmt, cuts)
    found.launch(array.format, method)
    return found


def moments_of_rows(
    view: DeviceArray, method: str | None = None, accumulator: Format | None = None, *, contracted: bool = True
) -> DeviceMoments:
    """The moments of a view's rows, as `varkernels.moments` has them: in the accumulator's format.

    Raises
    ------
    ValueError
        The view's rank is wrong, the accumulator is another than the kernels', or as above.
    """
    fmt = accumulator_of(view.format)
    if accumulator is not None and accumulator is not fmt:
        raise ValueError(f"accumulator={accumulator}: the device accumulates {view.format} values in {fmt} only")
    one = rows_cut(view)
    blocks, segments, rows, length = one.view.shape
    found = DeviceMoments(view.place, (blocks * rows,), segments * length, fmt, fmt, [one])
    found.launch(view.format, method, contracted)
    return found
