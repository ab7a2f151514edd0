"""The CPU's schedules, compiled for one formula's states and one format of the values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import from_dtype, typeof, types

from . import schedules
from .blocking import CARRIERS
from .formats import Format
from .formulas import Formula
from .jit import Definition
from .smallfloat import SmallZero
from .verbs import learn

__all__ = ["definition", "signature"]


def _empty(formula: Formula, accumulator: Format) -> Any:
    """A formula's empty state; its type chooses the verbs and the accumulator."""
    zero: Any = SmallZero(accumulator) if accumulator.precision < 24 else accumulator.dtype.type(0)
    return formula.empty(zero)


def signature(formula: Formula, storage: Format, accumulator: Format) -> tuple[Any, ...]:
    """The types of an order's arguments; `A` layout, so that one kernel serves every stride."""
    learn(formula)
    carrier = types.Array(from_dtype(np.dtype(CARRIERS[storage.name])), 3, "A", readonly=True)
    table = types.Array(types.float64, 2, "C")
    return typeof(_empty(formula, accumulator)), carrier, table, table, types.intp


def definition(formula: Formula, kind: str, storage: Format, accumulator: Format) -> Definition:
    """A schedule, such as "running", as a function of (view, centres, out, width)."""
    types_of = signature(formula, storage, accumulator)
    return Definition(getattr(schedules, kind), types_of, (_empty(formula, accumulator),))
