"""The exact answer of a norm for one value: b + a / sqrt(v) with rational a, b and v > 0, correctly rounded.

Outputs and input gradients of every norm here have this form. a / sqrt(v) is rational if and only if a^2 / v is the
square of a rational number. If it is not, the answer differs from every number of a format and from every point halfway
between two, so that integer roots with more and more bits decide the rounding after finitely many steps.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from ..formats import FLOAT64, Format
from ..rounding import round_to

__all__ = ["approximate", "settled"]

# Bits after the point of the first attempt, beyond those that the size of a / sqrt(v) asks for.
_BITS = 160


def _root(value: Fraction) -> Fraction | None:
    """The square root of a rational number that is a square; None of another."""
    p, q = math.isqrt(value.numerator), math.isqrt(value.denominator)
    return Fraction(p, q) if p * p == value.numerator and q * q == value.denominator else None


def _pair(value: Fraction) -> tuple[float, float]:
    high = float(round_to(value, FLOAT64))
    return (high, float(round_to(value - Fraction(high), FLOAT64)) if math.isfinite(high) else 0.0)


def approximate(a: Fraction, v: Fraction) -> Fraction:
    """a / sqrt(v) with a relative error below 2^-120; v positive."""
    square = a * a / v
    bits = 130 + max(0, square.denominator.bit_length() - square.numerator.bit_length()) // 2
    near = Fraction(math.isqrt((square.numerator << 2 * bits) // square.denominator), 1 << bits)
    return near if a >= 0 else -near


def settled(a: Fraction, v: Fraction, b: Fraction, fmt: Format) -> tuple[Any, tuple[float, float]]:
    """b + a / sqrt(v) rounded to a format, and as a pair of float64 numbers with a relative error below 2^-100.

    Parameters
    ----------
    a, b : any rational numbers. v : a positive one. fmt : the format, to nearest even.
    """
    square = a * a / v
    root = _root(square)
    if root is not None:
        exact = b + (root if a > 0 else -root)
        return (round_to(exact, fmt), _pair(exact))
    bits = _BITS + max(0, square.denominator.bit_length() - square.numerator.bit_length()) // 2
    while True:
        near = math.isqrt((square.numerator << 2 * bits) // square.denominator)
        ends = [b + Fraction(near + k if a > 0 else -near - k, 1 << bits) for k in (0, 1)]
        answers = [round_to(end, fmt) for end in ends]
        # The width is relative to the answer, of which cancellation with b may have left little.
        if answers[0] == answers[1] and min(map(abs, ends)) * Fraction(1, 1 << 101) >= Fraction(1, 1 << bits):
            return (answers[0], _pair((ends[0] + ends[1]) / 2))
        bits *= 2
