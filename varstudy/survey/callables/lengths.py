"""Row lengths for which a function is wrong on easy data, as one that drops a tail or reads in pairs is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from .calling import Convention, argument, call

__all__ = ["LENGTHS", "wrong_lengths"]

LENGTHS = (
    *range(2, 41),
    48,
    63,
    64,
    65,
    96,
    100,
    127,
    128,
    129,
    255,
    256,
    257,
    1000,
    1023,
    1024,
    1025,
    4095,
    4096,
    4097,
)
# Dropping the last value of the longest row moves the variance by more.
TOLERANCE = 1e-3
LISTED = 6


def wrong_lengths(function: Callable[..., Any], how: Convention, dtype: Any, longest: int) -> str:
    """For which lengths a function is wrong, ``odd n``; empty where it is right for all of them.

    The rows hold small whole numbers, whose variance every formula gets right in float32. What is found there is
    the way in which the function reads a row, not rounding.

    Parameters
    ----------
    function, how : what is called, and how.
    dtype : of the rows. longest : longer ones are not tried.
    """
    tried = [n for n in LENGTHS if how.correction < n <= longest]
    return pattern(tried, [n for n in tried if not _right(function, how, dtype, n)])


def _right(function: Callable[..., Any], how: Convention, dtype: Any, n: int) -> bool:
    # The last value is far from the others, so that a dropped tail shows.
    values = [(7 * k * k + 3 * k) % 16 for k in range(n - 1)] + [31]
    exact = Fraction(n * sum(v * v for v in values) - sum(values) ** 2, n * (n - how.correction))
    try:
        answer = call(function, argument(np.array(values, np.float64).astype(dtype), how.takes), **how.keywords)
    except (Exception, SystemExit):
        return False
    return math.isclose(answer, float(exact), rel_tol=TOLERANCE)


def pattern(tried: Sequence[int], wrong: Sequence[int]) -> str:
    """What wrong lengths have in common.

    Parameters
    ----------
    tried : all lengths, ascending. wrong : those with a wrong answer.
    """
    if not wrong:
        return ""
    first = wrong[0]
    later = [n for n in tried if n >= first]
    if list(wrong) == later:
        below = max((n for n in tried if n < first), default=0)
        return f"n above {below}"
    above = f" above {first - 1}" if any(n < first and n & (n - 1) for n in tried) else ""
    if list(wrong) == [n for n in later if n & (n - 1)]:
        return f"n{above} that are not powers of two"
    for k in (2, *(2**e for e in range(2, 12))):
        if list(wrong) == [n for n in later if n % k]:
            return f"odd n{above}" if k == 2 else f"n{above} that are not multiples of {k}"
    shown = ", ".join(map(str, wrong[:LISTED]))
    more = f" and {len(wrong) - LISTED} more" if len(wrong) > LISTED else ""
    return f"n = {shown}{more} of {len(tried)} lengths from {tried[0]} to {tried[-1]}"
