"""Moments of arrays that lie on a GPU already, computed there: arrays of torch, CuPy, Numba, JAX and others.

dlpack      reading DLPack capsules, and memory of the driver that offers one
describing  an array's address, shape, strides, GPU and stream; where its answers are made
cutting     from the axes to reduce to views that the kernels take
choosing    which of the kernels
reducing    the launches, and the moments that they leave on the GPU
answers.ptx from a row's mean and M2 to a mean, variance or standard deviation in the format that is wanted
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .describing import described
    from .reducing import moments_of, moments_of_rows

__all__ = ["described", "moments_of", "moments_of_rows"]

# Loaded when the first array on a GPU comes.
_HOME = {"described": ".describing", "moments_of": ".reducing", "moments_of_rows": ".reducing"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
