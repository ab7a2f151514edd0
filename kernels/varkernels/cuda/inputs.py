"""What a device gets to see of a view: its checks, which the mirror shares, and its bytes as one flat array."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..formats import FLOAT32, FLOAT64, Format, format_of
from ..views import rows_of
from .errors import DeviceError

__all__ = ["checked", "extent"]


def checked(view: ArrayLike, accumulator: object) -> tuple[NDArray[Any], Format, Format]:
    """The view as an array (blocks, segments, rows, length), its format, and the accumulator's.

    The accumulator is float32 by default, or float64 for float64 values.

    Raises
    ------
    TypeError
        A dtype is not supported.
    ValueError
        The view's rank is wrong, or the accumulator is narrower than the storage or neither float32 nor float64.
    DeviceError
        The array lies on a GPU.
    """
    if hasattr(view, "__cuda_array_interface__"):
        raise DeviceError(
            "the view lies on a GPU: copy it to the computer's memory, or give its address to "
            "varkernels.cuda.devices.gpu.Gpu.run_there"
        )
    array, storage = rows_of(view)
    fmt = (FLOAT64 if storage is FLOAT64 else FLOAT32) if accumulator is None else format_of(accumulator)
    if fmt not in (FLOAT32, FLOAT64) or fmt.precision < storage.precision:
        wider = "float64" if storage is FLOAT64 else "float32 or float64"
        raise ValueError(f"accumulator={fmt} does not serve {storage} values on the device: use {wider}")
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
