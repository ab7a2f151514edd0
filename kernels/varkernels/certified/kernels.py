"""The certified kernels, compiled for the four formats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import from_dtype, types

from ..blocking import CARRIERS
from ..formats import FLOAT64, FORMATS
from ..jit import Definition
from .gathered import gathered_rows
from .gridded import gridded_decided, gridded_rows, gridded_sums
from .gridded_tiles import gridded_columns, gridded_short
from .sweeps import columns, decided, long_rows, short_rows, single, sums_of_row

__all__ = ["NAMES", "definition"]

_LIST, _TABLE = types.Array(types.int64, 1, "C"), types.Array(types.float64, 2, "C")
_MASK = types.Array(types.boolean, 4, "A", readonly=True)
_REAL, _WHOLE, _FLAG = types.float64, types.int64, types.boolean
# Answers in float32 for values of at most 24 bits, else in float64; they are of the format that is asked for.
_OUT = "answers"
_ANSWERS = (_WHOLE, _WHOLE, _OUT)
_PASS = (_REAL, _REAL, *_ANSWERS)
# The kernels, and what they take after a view of four dimensions, or one for "single".
_KINDS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "long": (long_rows, _PASS),
    "gridded": (gridded_rows, _PASS),
    "short": (short_rows, _PASS),
    "columns": (columns, _PASS),
    "gridded-columns": (gridded_columns, _PASS),
    "gridded-short": (gridded_short, _PASS),
    "single": (single, (_REAL, _REAL, _WHOLE, _WHOLE)),
    "sums": (sums_of_row, (_FLAG, _REAL, _TABLE)),
    "decided": (decided, (_TABLE, _WHOLE, _WHOLE, _WHOLE, *_PASS)),
    "gridded-sums": (gridded_sums, (_FLAG, _REAL, _REAL, _FLAG, _TABLE)),
    "gridded-decided": (gridded_decided, (_TABLE, _WHOLE, *_PASS)),
    "gathered": (gathered_rows, (_MASK, _FLAG, _FLAG, _FLAG, _LIST, _REAL, _REAL, *_ANSWERS, _LIST)),
}
# Those that there are, each with the format of the values: only float64 values are cut on a grid.
NAMES = tuple(
    (kind, name) for kind in _KINDS for name in FORMATS if not kind.startswith("gridded") or name == FLOAT64.name
)


def definition(kind: str, storage: str) -> Definition:
    """A kernel, such as "long", for values of a format."""
    function, others = _KINDS[kind]
    value = from_dtype(np.dtype(CARRIERS[storage]))
    view = types.Array(value, 1, "C", readonly=True) if kind == "single" else types.Array(value, 4, "A", readonly=True)
    out = types.Array(types.float64 if storage == FLOAT64.name else types.float32, 2, "C")
    return Definition(function, (view, *(out if other is _OUT else other for other in others)))
