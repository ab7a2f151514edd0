"""Error-free transformations: the rounding error of one operation, itself a floating-point number.

Valid in any binary format that rounds to nearest, as long as nothing overflows. Each takes and returns
scalars of one type; `fma` is the only place in the CPU kernels where a product and a sum may be rounded
together.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from ..inlining import inline
from ..rounding import round_to

__all__ = ["fast_two_sum", "fma", "two_prod", "two_sum"]


@inline
def two_sum(a, b):  # type: ignore[no-untyped-def]
    """(s, e) with s = fl(a + b) and s + e = a + b exactly.

    Knuth, The Art of Computer Programming 2, 4.2.2, theorem B: six operations, no condition on a and b.
    """
    s = a + b
    bb = s - a
    return s, (a - (s - bb)) + (b - bb)


@inline
def fast_two_sum(a, b):  # type: ignore[no-untyped-def]
    """(s, e) with s = fl(a + b) and s + e = a + b exactly where |a| >= |b|.

    Dekker 1971, doi:10.1007/BF01397083.
    """
    s = a + b
    return s, b - (s - a)


@inline
def two_prod(a, b):  # type: ignore[no-untyped-def]
    """(p, e) with p = fl(a b) and p + e = a b exactly, unless e underflows. Ogita, Rump, Oishi 2005,
    doi:10.1137/030601818."""
    p = a * b
    return p, fma(a, b, -p)


def fma(a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once: exact rationals here in Python; one instruction (or libm's fma) compiled."""
    if hasattr(a, "fma"):
        return a.fma(b, c)  # a type that is no float, such as one that counts operations
    if not (np.isfinite(a) and np.isfinite(b)):
        return a * b + c
    if not np.isfinite(c):
        return c  # also where a b alone would overflow
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    if exact == 0:
        return a * b + c  # the signs of zero follow IEEE's rules for a sum
    return round_to(exact, type(a))
