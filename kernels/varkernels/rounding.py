"""Correct rounding of exact numbers to a format, and the spacing of a format's numbers: integers only.

Rounding by way of a Python float would round twice: float32(float(v)) is wrong next to a tie of float32, and
mpmath's float(mpf) is wrong among the subnormal numbers.
"""

from __future__ import annotations

import math
import numbers
from fractions import Fraction
from functools import cache
from typing import Any

from .formats import BFLOAT16, Format, format_of

__all__ = ["round_to", "ulp"]


def _floor_log2(p: int, q: int) -> int:
    """The e with 2^e <= p / q < 2^(e + 1), for positive integers."""
    e = p.bit_length() - q.bit_length()
    return e if (p >= q << e if e >= 0 else p << -e >= q) else e - 1


@cache
def _power_of_two(exponent: int) -> Fraction:
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def _ratio(value: Any) -> tuple[int, int] | float:
    """Numerator and positive denominator; a float where the value is NaN, infinite, or a float's zero."""
    if isinstance(value, numbers.Rational):  # numpy's integers too
        return int(value.numerator), int(value.denominator)
    if isinstance(value, BFLOAT16.dtype.type):  # it has no as_integer_ratio
        value = float(value)
    if hasattr(value, "_mpf_"):
        sign, man, exp, _ = value._mpf_
        if not man:
            return float(value)
        man = -int(man) if sign else int(man)
        return (man << exp, 1) if exp >= 0 else (man, 1 << -exp)
    if not hasattr(value, "as_integer_ratio"):
        raise TypeError(f"value {value!r} is not an exact number: give a Fraction, an int, a float or an mpmath number")
    if not math.isfinite(value) or value == 0:
        return float(value)
    p, q = value.as_integer_ratio()
    return int(p), int(q)


def round_to(value: Fraction | int | float | Any, fmt: Format | str | Any) -> Any:
    """The number of a format nearest to an exact value, ties to the even one (IEEE 754-2019, section 4.3.1).

    Parameters
    ----------
    value : a Fraction, int, float, mpmath number or numpy scalar, taken as exactly what it is.
    fmt : a Format, its name or its dtype.

    Returns
    -------
    A numpy scalar of the format's dtype. Magnitudes of 2^emax (2 - 2^-p) and more become infinite; a negative
    value that rounds to zero becomes -0.0. NaN and infinities stay what they are.

    Raises
    ------
    TypeError
        The value is no such number, or the format is unknown.
    """
    fmt = format_of(fmt)
    ratio = _ratio(value)
    if isinstance(ratio, float):
        return fmt.dtype.type(ratio)
    p, q = ratio
    if not p:
        return fmt.dtype.type(0.0)
    sign = -1.0 if p < 0 else 1.0
    p = abs(p)
    e = _floor_log2(p, q)
    if e > fmt.emax:
        return fmt.dtype.type(sign * math.inf)
    unit = max(e, fmt.emin) - fmt.precision + 1
    if e < unit - 1:
        return fmt.dtype.type(sign * 0.0)
    if unit >= 0:
        q <<= unit
    else:
        p <<= -unit
    k, rest = divmod(p, q)
    if 2 * rest > q or (2 * rest == q and k & 1):
        k += 1
    if k == 1 << fmt.precision and e == fmt.emax:
        return fmt.dtype.type(sign * math.inf)
    # k has at most p bits here: float64 holds k 2^unit exactly, and so does the format.
    return fmt.dtype.type(math.copysign(math.ldexp(k, unit), sign))


def ulp(value: Fraction | int | float | Any, fmt: Format | str | Any) -> Fraction:
    """The spacing of a format's numbers at |x|: 2^(max(e, emin) - p + 1) where 2^e <= |x| < 2^(e + 1).

    At 0 and among the subnormal numbers it is the smallest subnormal number; beyond the largest number it
    goes on as if the exponents had no end. It is Goldberg's definition extended to the reals: Muller 2005,
    "On the definition of ulp(x)", INRIA research report RR-5504.

    Parameters
    ----------
    value : a finite Fraction, int, float, mpmath number or numpy scalar.
    fmt : a Format, its name or its dtype.

    Raises
    ------
    TypeError
        The value is no such number, or the format is unknown.
    ValueError
        The value is NaN or infinite.
    """
    fmt = format_of(fmt)
    ratio = _ratio(value)
    if isinstance(ratio, float):
        if ratio != 0.0:
            raise ValueError(f"value {value!r} has no ulp: it is not finite")
        ratio = (0, 1)
    p, q = ratio
    e = max(_floor_log2(abs(p), q), fmt.emin) if p else fmt.emin
    return _power_of_two(e - fmt.precision + 1)
