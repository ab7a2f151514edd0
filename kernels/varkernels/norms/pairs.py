"""Arithmetic with pairs, for whole arrays: a number is the sum high + low, never evaluated, of two float64 numbers.

With u = 2^-53 and no overflow or underflow, relative errors are

    plus    3 u^2 + 13 u^3   (Joldes, Muller, Popescu 2017, doi:10.1145/3121432, theorem 3.1)
    times   9 u^2            the two cross products and their sum: 4 u^2, the sum with the error of high x high: 3 u^2,
                             and the product of the low parts, which is left out: u^2; the rest are terms in u^3
    scaled  4 u^2            a pair times a float64 number

Those of the inputs come on top. A product's error term is exact by Veltkamp's splitting (Dekker 1971,
doi:10.1007/BF01397083) where both factors and the product are at most 2^900, and the product is 0 or at least 2^-900.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exact.rounding_one import nearest
from ..formats import FLOAT64, Format
from ..formulas.double_double import add
from ..formulas.errorfree import fast_two_sum, two_sum

__all__ = [
    "LOWEST",
    "SAFE",
    "Floats",
    "Pair",
    "difference",
    "expansion",
    "plus",
    "product",
    "rounded",
    "safe",
    "scaled",
    "times",
]

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]

_SPLITTER = 2.0**27 + 1
# Factors of at most 2^450 and at least 2^-450 have a product whose error is exact.
SAFE = 2.0**450
# Pairs whose parts are at least this, or exact, keep their relative errors.
LOWEST = 2.0**-900


def safe(values: Floats) -> NDArray[np.bool_]:
    """Where values are 0, or far from overflow and underflow in products of two; not where they are NaN."""
    size = np.abs(values)
    found: NDArray[np.bool_] = (size == 0) | ((size >= 1 / SAFE) & (size <= SAFE))
    return found


def difference(a: Floats, b: Floats) -> Pair:
    """a - b, exact."""
    high, low = two_sum(a, -b)
    return high, low


def plus(a: Pair, b: Pair) -> Pair:
    """a + b."""
    high, low = add(*a, *b)
    return high, low


def _halves(a: Floats) -> Pair:
    t = _SPLITTER * a
    high = t - (t - a)
    return high, a - high


def product(a: Floats, b: Floats) -> Pair:
    """The product of two float64 numbers, exact."""
    p = a * b
    (ah, al), (bh, bl) = _halves(a), _halves(b)
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def times(a: Pair, b: Pair) -> Pair:
    """The product of two pairs."""
    p, e = product(a[0], b[0])
    high, low = fast_two_sum(p, e + (a[0] * b[1] + a[1] * b[0]))
    return high, low


def scaled(a: Pair, b: Floats) -> Pair:
    """A pair times a float64 number."""
    p, e = product(a[0], b)
    high, low = fast_two_sum(p, e + a[1] * b)
    return high, low


def rounded(high: Floats, low: Floats, fmt: Format) -> NDArray[Any]:
    """high + low, |low| at most half an ulp of high, rounded once to a format, to nearest even.

    For a narrower format the pair is rounded to odd first, which leaves the second rounding right (Boldo, Melquiond
    2008, doi:10.1109/TC.2007.70819).
    """
    if fmt.precision == FLOAT64.precision:
        return high
    bits = high.view(np.int64)
    even = (low != 0) & (bits & 1 == 0) & np.isfinite(high)
    odd = np.where(even, bits + np.where((low > 0) == (high > 0), 1, -1), bits)
    return fmt.rounded(odd.view(np.float64))


def expansion(p: int, q: int, exponent: int, terms: int, floor: float = 0.0) -> list[float]:
    """p / q 2^exponent, q > 0, as a sum of float64 numbers, each the nearest to what those before it leave.

    Where one of them is neither the exact rest nor at least `floor` in magnitude, the last one is NaN.
    """
    found: list[float] = []
    for _ in range(terms):
        near = nearest(p, q, exponent, FLOAT64)
        if p and abs(near) < floor:
            return [*found, *[math.nan] * (terms - len(found))]
        found.append(near)
        if not math.isfinite(near):
            break
        a, b = near.as_integer_ratio()
        below = b.bit_length() - 1
        shift = min(exponent, -below)
        p = (p << exponent - shift) - ((a * q) << (-below - shift))
        exponent = shift
    return found + [0.0] * (terms - len(found))
