"""What a device gets to see of a view: its checks, which the mirror shares, and its bytes as one flat array."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..formats import Format, format_of
from ..views import rows_of
from .catalogue import accumulator_of
from .detecting import lies_on_gpu
from .errors import DeviceError

__all__ = ["checked", "extent"]


def checked(view: ArrayLike, accumulator: object) -> tuple[NDArray[Any], Format, Format]:
    """The view as an array (blocks, segments, rows, length), its format, and the accumulator's.

    The accumulator is float32, or float64 for float64 values; there are kernels of no other.

    Raises
    ------
    TypeError
        A dtype is not supported.
    ValueError
        The view's rank is wrong, or the accumulator is another.
    DeviceError
        The array lies on a GPU.
    """
    if lies_on_gpu(view):
        raise DeviceError(
            "the view lies on a GPU: varkernels.cuda.moments(view, device='cuda') computes there; or copy it to the "
            "computer's memory"
        )
    array, storage = rows_of(view)
    fmt = accumulator_of(storage)
    if accumulator is not None and format_of(accumulator) is not fmt:
        raise ValueError(f"accumulator={format_of(accumulator)}: the device accumulates {storage} values in {fmt} only")
    if any(step % array.itemsize for step in array.strides):
        array = np.ascontiguousarray(array)
    return array, storage, fmt


def extent(view: NDArray[Any]) -> tuple[NDArray[np.uint8], int]:
    """The memory from the view's lowest to its highest byte, not copied, and where in it the first value lies.

    The view must outlive the array.
    """
    address = view.__array_interface__["data"][0]
    low = sum(min(0, step * (size - 1)) for step, size in zip(view.strides, view.shape, strict=True))
    high = sum(max(0, step * (size - 1)) for step, size in zip(view.strides, view.shape, strict=True)) + view.itemsize
    raw = (ctypes.c_ubyte * (high - low)).from_address(address + low)
    return np.frombuffer(raw, dtype=np.uint8), -low
