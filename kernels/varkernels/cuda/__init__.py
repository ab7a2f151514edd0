"""The CUDA kernels: written in Numba CUDA, compiled offline, run on a GPU or executed on the CPU from the same PTX.

``algorithms()`` says what there is; ``moments(view, name)`` runs it. A GPU needs nothing but NVIDIA's driver, for CUDA
11.0 or newer, and the compute capability 7.5 (T4, RTX 20) or newer. numba-cuda is for
``python -m varkernels.cuda.build`` alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import DeviceError, DeviceMemoryError

if TYPE_CHECKING:
    from .catalogue import Algorithm, algorithms
    from .launch_plan import shape_of_sum
    from .run import moments
    from .tensors.reducing import DeviceMoments

__all__ = ["Algorithm", "DeviceError", "DeviceMemoryError", "DeviceMoments", "algorithms", "moments", "shape_of_sum"]

# Loaded when first used, as in the package above.
_HOME = {
    "Algorithm": ".catalogue",
    "algorithms": ".catalogue",
    "shape_of_sum": ".launch_plan",
    "moments": ".run",
    "DeviceMoments": ".tensors.reducing",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
