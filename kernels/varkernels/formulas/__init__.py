"""One file a formula: its maths, its source, its verbs. Nothing else knows a formula's arithmetic.

A formula is a NamedTuple of scalars, its state, and plain functions on it, the verbs:

=================================== ==================================================================
``update(state, n, x)``             the state after one more value; n is the count with x included
``merge(a, na, b, nb)``             the state of both together; na, nb >= 1. A formula may lack it
``read(state, n)``                  (mean, M2) of the n >= 1 values
``start(state, high, low)``         the empty state round the centre high + low. Without it there is no centre
=================================== ==================================================================

Counts are integers; `like(x, n)` converts one to the accumulator's type where the arithmetic needs it. Verbs
use +, -, *, / and `fma` on values of one type and no literal, so that they mean the same in every precision.
They run unchanged on numpy scalars, and compiled.

A file here is all that a formula needs: every `Formula` of every module is found, and so are its orders, its cost, its
bound and its CUDA kernels.
"""

import importlib
import pkgutil

from .base import ORDERS, Formula, like
from .bounding import Bound, Rows, Setting
from .cost import Cost

__all__ = ["EVERY", "FORMULAS", "ORDERS", "Bound", "Cost", "Formula", "Rows", "Setting", "like", "modules"]


def modules() -> list[str]:
    """The names of this package's modules, in the alphabet's order."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__))


def _declared() -> dict[str, Formula]:
    found: dict[str, Formula] = {}
    for module in modules():
        for value in vars(importlib.import_module(f"{__name__}.{module}")).values():
            if isinstance(value, Formula) and found.setdefault(value.name, value) is not value:
                raise ValueError(f"two formulas are called {value.name!r}: give one of them another name")
    first_sweeps = {id(formula.centre) for formula in found.values()}
    listed = sorted(found.values(), key=lambda formula: (formula.place, formula.name))
    return {formula.name: formula for formula in listed if id(formula) not in first_sweeps}


# Every formula that is an algorithm on the CPU or in CUDA, and those of the CPU.
EVERY: dict[str, Formula] = _declared()
FORMULAS: dict[str, Formula] = {name: formula for name, formula in EVERY.items() if formula.study_orders}
