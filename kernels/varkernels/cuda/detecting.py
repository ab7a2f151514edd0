"""Whether an array lies on a GPU of NVIDIA's: nothing is imported or copied for the question."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

__all__ = ["lies_on_gpu"]

# DLDeviceType in dlpack.h: kDLCUDA, and kDLCUDAManaged, which the computer could read too.
CUDA = (2, 13)


def lies_on_gpu(x: Any) -> bool:
    """Whether `x` is an array whose values lie in a GPU's memory."""
    kind = type(x)
    if kind is np.ndarray or kind in (list, tuple, float, int):
        return False
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    if tensor is not None and isinstance(x, tensor):
        return bool(x.device.type == "cuda")
    try:  # of a class's own making, which may raise anything
        if hasattr(kind, "__dlpack_device__"):
            return int(x.__dlpack_device__()[0]) in CUDA
        return hasattr(x, "__cuda_array_interface__")
    except Exception:
        return False
