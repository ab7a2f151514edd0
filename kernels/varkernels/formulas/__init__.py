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
"""

from __future__ import annotations

from .base import Formula, like
from .chan import CHAN
from .corrected_two_pass import CORRECTED_TWO_PASS
from .double_double import DOUBLE_DOUBLE
from .kahan_two_pass import KAHAN_TWO_PASS
from .naive import NAIVE
from .neumaier_two_pass import NEUMAIER_TWO_PASS
from .shifted import SHIFTED, SHIFTED_FIRST
from .two_pass import TWO_PASS
from .welford import WELFORD
from .west import WEST
from .youngs_cramer import YOUNGS_CRAMER

__all__ = ["FORMULAS", "Formula", "like"]

FORMULAS: dict[str, Formula] = {
    formula.name: formula
    for formula in (
        NAIVE,
        SHIFTED_FIRST,
        SHIFTED,
        TWO_PASS,
        CORRECTED_TWO_PASS,
        YOUNGS_CRAMER,
        WELFORD,
        WEST,
        CHAN,
        KAHAN_TWO_PASS,
        NEUMAIER_TWO_PASS,
        DOUBLE_DOUBLE,
    )
}
