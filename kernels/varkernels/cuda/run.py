"""From a view to its moments on a device: the plan's launches, executed on the CPU or run on a GPU."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..exact.algorithm import ExactMoments
from ..formats import Format, format_of
from ..row_moments import Moments
from .catalogue import Algorithm, get
from .detecting import lies_on_gpu
from .devices.gpu import Gpu
from .exact_finish import table_of
from .inputs import checked
from .launch_plan import MOST_BLOCKS, Geometry, Plan, geometry_of, plan
from .tensors.describing import described
from .tensors.reducing import moments_of_rows

__all__ = ["DEVICES", "Device", "device", "moments"]

DEVICES = ("ptx", "cuda")


class Device(Protocol):
    """Where a plan's kernels run."""

    def run(self, plan: Plan, view: NDArray[Any]) -> NDArray[Any]:
        """The answers, (rows, 2), of the plan's launches on the values of a view (blocks, segments, rows, length)."""


def device(name: str) -> Device:
    """The device called ``ptx`` (the PTX executed on the CPU) or ``cuda`` (the GPU).

    Raises
    ------
    ValueError
        The name is neither.
    DeviceError
        The device cannot be used; the sentence says why.
    """
    if name == "ptx":
        from .devices.ptx import Executor  # noqa: PLC0415 - each device loads what it needs

        return Executor.get()
    if name == "cuda":
        return Gpu.get()
    raise ValueError(f"device={name!r} is unknown: use one of {', '.join(DEVICES)}")


@lru_cache(maxsize=4096)
def _plan(
    geometry: Geometry, algorithm: Algorithm, storage: Format, fmt: Format, contracted: bool, most_blocks: int
) -> Plan:
    return plan(geometry, algorithm, storage, fmt, contracted, most_blocks=most_blocks)


def moments(
    view: ArrayLike,
    name: str = "chan/grid4",
    accumulator: object = None,
    *,
    contracted: bool = True,
    device: str | Device = "ptx",
    most_blocks: int = MOST_BLOCKS,
) -> Moments:
    """Count, mean and M2 of every row of a view, by a CUDA kernel.

    Parameters
    ----------
    view : array (segments, rows, length) or (blocks, segments, rows, length) of float16, bfloat16 (ml_dtypes),
        float32 or float64, of any strides, as for `varkernels.moments`; or such an array on a GPU (of torch, CuPy,
        Numba, JAX or others with `__dlpack__` or `__cuda_array_interface__`), with the device ``cuda``: it is reduced
        on its own GPU and stream.
    name : a name from `varkernels.cuda.algorithms()`.
    accumulator : float32, or float64 for float64 values, as the field's kernels have it; None is the same.
    contracted : which build of the kernels: as NVVM contracts products and sums into fma, or without contraction.
    device : ``ptx`` executes the kernels' PTX on the CPU, ``cuda`` runs it on the GPU; or a Device.
    most_blocks : blocks in one launch at most; the answers do not depend on it.

    Returns
    -------
    Moments : count (int64), mean and m2 (the accumulator's dtype), each of shape (rows,). Rows without values have
        mean NaN and M2 NaN. For an array on a GPU a `DeviceMoments`, whose answers stay there.

    Raises
    ------
    TypeError
        The values' dtype is not supported.
    ValueError
        The view's rank is wrong, a name is unknown, the accumulator is another, or the rows are too
        long for the algorithm.
    DeviceError
        The device cannot do it; the sentence says why.
    """
    if lies_on_gpu(view) and (device == "cuda" or isinstance(device, Gpu)):
        given = None if accumulator is None else format_of(accumulator)
        there = described(view)
        return moments_of_rows(there, name, given, contracted=bool(contracted))  # type: ignore[return-value]
    array, storage, fmt = checked(view, accumulator)
    algorithm = get(name)
    blocks, segments, rows, length = array.shape
    total, n = blocks * rows, segments * length
    count = np.full(total, n, dtype=np.int64)
    if total == 0 or n == 0:
        return Moments(count, np.full(total, np.nan, fmt.dtype), np.full(total, np.nan, fmt.dtype), fmt)
    made = _plan(geometry_of(array), algorithm, storage, fmt, bool(contracted), most_blocks)
    where = _device(device) if isinstance(device, str) else device
    answers = where.run(made, array)
    if algorithm.order == "exact":
        digits = answers.reshape(total, made.share.parts, -1)
        return ExactMoments.of(table_of(digits, count, storage), fmt)
    return Moments(count, answers[:, 0].copy(), answers[:, 1].copy(), fmt)


_device = device
