"""The kernels of the exact sums, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import from_dtype, types

from ..blocking import CARRIERS
from ..formats import FORMATS
from ..jit import Definition
from . import limbs
from . import rounding_many as many
from .accumulator import carry, sweep

__all__ = ["NAMES", "definition"]


def _array(kind: Any, dimensions: int) -> Any:
    return types.Array(kind, dimensions, "C")


_LIMBS, _FLAGS = _array(types.uint32, 2), _array(types.boolean, 1)
_LONG, _TABLE = _array(types.int64, 1), _array(types.int64, 2)
_SUMS = (_LIMBS, _LIMBS, _LONG)
_KERNELS: dict[str, tuple[Callable[..., None], tuple[Any, ...]]] = {
    "digits": (carry, (_TABLE, types.intp, _array(types.uint8, 2))),
    "pack": (limbs.pack, (_TABLE, _TABLE, types.int64, *_SUMS, _FLAGS)),
    "join": (limbs.join, (_TABLE, *_SUMS, _FLAGS, *_SUMS, _FLAGS)),
    "answers": (
        many.answers,
        (*_SUMS, _LONG, _TABLE, *(types.int64,) * 6, _array(types.float64, 1)),
    ),
}
NAMES = (*_KERNELS, *FORMATS)


def definition(name: str) -> Definition:
    """A kernel by its name; by a format's, the sweep over values of that format."""
    if name in _KERNELS:
        return Definition(*_KERNELS[name])
    size = FORMATS[name].dtype.itemsize
    value, integer = from_dtype(np.dtype(CARRIERS[name])), from_dtype(np.dtype(f"i{size}"))
    views = [types.Array(kind, 3, "A", readonly=True) for kind in (value, integer)]
    buffers = [types.Array(kind, 3, "A") for kind in (value, integer)]
    numbers = (types.boolean, types.boolean, types.intp, types.int64, types.int64, types.int64)
    return Definition(sweep, (*views, *buffers, *numbers, _TABLE, _TABLE, _TABLE))
