"""Variance kernels: numbers in, moments out.

>>> import numpy as np, varkernels
>>> x = np.array([2281.5, 2281.25], dtype=np.float32).reshape(1, 1, 2)
>>> float(varkernels.moments(x, "naive").variance(1)[0])
0.0
>>> float(varkernels.moments(x, "chan").variance(1)[0])
0.03125
"""

from __future__ import annotations

from .formats import FORMATS, Format, format_of
from .formulas import FORMULAS, Formula
from .moments import Moments
from .registry import Algorithm, algorithms, compose, get, register
from .run import moments

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
    "moments",
    "register",
]
