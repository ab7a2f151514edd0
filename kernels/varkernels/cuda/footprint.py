"""The bytes that a strided view touches, as one flat array: what a device gets to see of it."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["extent"]


def extent(view: NDArray[Any]) -> tuple[NDArray[np.uint8], int]:
    """The memory from the view's lowest to its highest byte, not copied, and where in it the first value lies.

    The view must outlive the array.
    """
    address = view.__array_interface__["data"][0]
    low = sum(min(0, step * (size - 1)) for step, size in zip(view.strides, view.shape, strict=True))
    high = sum(max(0, step * (size - 1)) for step, size in zip(view.strides, view.shape, strict=True)) + view.itemsize
    raw = (ctypes.c_ubyte * (high - low)).from_address(address + low)
    return np.frombuffer(raw, dtype=np.uint8), -low
