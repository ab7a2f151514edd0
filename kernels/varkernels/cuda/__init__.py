"""The CUDA kernels: written in Numba CUDA, compiled offline, run on a GPU or executed on the CPU from the same PTX.

``algorithms()`` says what there is; ``moments(view, name)`` runs it. Nothing here needs numba-cuda but
``python -m varkernels.cuda.build``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import DeviceError

if TYPE_CHECKING:
    from .catalogue import Algorithm, algorithms
    from .launch_plan import shape_of_sum
    from .run import moments

__all__ = ["Algorithm", "DeviceError", "algorithms", "moments", "shape_of_sum"]

# Loaded when first used, as in the package above.
_HOME = {"Algorithm": ".catalogue", "algorithms": ".catalogue", "shape_of_sum": ".launch_plan", "moments": ".run"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
