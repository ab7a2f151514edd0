"""Variance kernels: numbers in, moments out.

>>> import numpy as np, varkernels
>>> x = np.array([2281.5, 2281.25], dtype=np.float32).reshape(1, 1, 2)
>>> float(varkernels.moments(x, "naive").variance(1)[0])
0.0
>>> float(varkernels.moments(x, "chan").variance(1)[0])
0.03125
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .algorithm import Algorithm, compose
    from .dispatch import moments
    from .formats import FORMATS, Format, format_of
    from .formulas import FORMULAS, Formula
    from .registry import algorithms, get, register
    from .row_moments import Moments
    from .threads import get_threads, set_threads

__all__ = [
    "FORMATS",
    "FORMULAS",
    "Algorithm",
    "Format",
    "Formula",
    "Moments",
    "algorithms",
    "compose",
    "format_of",
    "get",
    "get_threads",
    "moments",
    "register",
    "set_threads",
]

# Loaded when first used: numba takes half a second, numpy a tenth.
_HOME = {
    "FORMATS": ".formats",
    "Format": ".formats",
    "format_of": ".formats",
    "FORMULAS": ".formulas",
    "Formula": ".formulas",
    "Moments": ".row_moments",
    "Algorithm": ".algorithm",
    "algorithms": ".registry",
    "compose": ".algorithm",
    "get": ".registry",
    "register": ".registry",
    "moments": ".dispatch",
    "get_threads": ".threads",
    "set_threads": ".threads",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
