"""NIST's Statistical Reference Datasets, univariate: the five that a rule defines, made from the rule.

The data are exact decimals. Storing them is a first error, reducing them a second; ``Case.exact_decimals``
gives the decimals, so that the two can be reported apart. NumAcc4 in float64 allows at most 8.3 correct
digits of the standard deviation whatever the algorithm, and in float32 none.

https://www.itl.nist.gov/div898/strd/univ/homepage.html
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import numpy as np

from varkernels.formats import FORMATS

from .case import DEFAULT, QUICK, Array, Case
from .storing import round_fraction, store
from .streams import Stream

__all__ = ["cases", "numacc", "pi_digits"]

SOURCE = "https://www.itl.nist.gov/div898/strd/univ/"
PI_DEVIATION = 956


def numacc(number: int) -> tuple[Fraction, ...]:
    """The exact decimal data of NumAcc1 (3 values) or NumAcc2, 3, 4 (1001 values: m, then 500 times m - 0.1,
    m + 0.1)."""
    if number == 1:
        return (Fraction(10_000_001), Fraction(10_000_003), Fraction(10_000_002))
    m = {2: Fraction("1.2"), 3: Fraction("1000000.2"), 4: Fraction("10000000.2")}[number]
    tenth = Fraction(1, 10)
    return (m, *((m - tenth, m + tenth) * 500))


def _arctangent_of_inverse(n: int, unit: int) -> int:
    """arctan(1/n) in units of 1/unit, by Gregory's series in integers."""
    term = unit // n
    total, k, sign = term, 1, 1
    while term:
        term //= n * n
        k += 2
        sign = -sign
        total += sign * (term // k)
    return total


def pi_digits() -> tuple[Fraction, ...]:
    """The 5000 first decimal digits of pi, the leading 3 included, with the one deviation that NIST's file
    has: the digit of 0-based index 956 is 3 there, where pi has an 8. Machin's formula (1706)."""
    guard, wanted = 20, 5000
    unit = 10 ** (wanted - 1 + guard)
    pi = (4 * (4 * _arctangent_of_inverse(5, unit) - _arctangent_of_inverse(239, unit))) // 10**guard
    digits = []
    for _ in range(wanted):
        pi, digit = divmod(pi, 10)
        digits.append(digit)
    digits.reverse()
    digits[PI_DEVIATION] = 3
    return tuple(Fraction(d) for d in digits)


def _stored(storage: str, stream: Stream, *, data: Callable[[], tuple[Fraction, ...]]) -> Array:
    decimals = data()
    # Rounded from the decimal in one step: by way of float64 a float32 could be rounded twice.
    rounded = {value: round_fraction(value, storage) for value in set(decimals)}
    return store(np.array([[rounded[value] for value in decimals]]), storage)


def cases() -> tuple[Case, ...]:
    """The cases of the group ``nist``, in a fixed order."""
    made = []
    for name, data, kappa, storages, why in (
        (
            "NumAcc1",
            partial(numacc, 1),
            math.sqrt(1.0 + 1.5 * 10_000_002.0**2),
            ("float32", "float64"),
            "Three integers near ten million, whose sample variance is 1.",
        ),
        (
            "NumAcc2",
            partial(numacc, 2),
            math.sqrt(1.0 + 1001 * 1.2**2 / 10),
            tuple(FORMATS),
            "1.2 and then 1.1, 1.3 alternating: easy to reduce, but no binary format holds the values.",
        ),
        (
            "NumAcc3",
            partial(numacc, 3),
            math.sqrt(1.0 + 1001 * 1_000_000.2**2 / 10),
            ("float32", "float64"),
            (
                "The same spread of 0.1 round a million: most of the digits of the variance are lost, in "
                "part before any arithmetic."
            ),
        ),
        (
            "NumAcc4",
            partial(numacc, 4),
            math.sqrt(1.0 + 1001 * 10_000_000.2**2 / 10),
            ("float32", "float64"),
            (
                "The same spread of 0.1 round ten million: storing alone leaves 8.3 digits of the deviation "
                "in float64 and none in float32."
            ),
        ),
        (
            "PiDigits",
            pi_digits,
            1.87129808633,
            tuple(FORMATS),
            ("5000 digits of pi, small integers that every format holds: a control that every algorithm should pass."),
        ),
    ):
        made.append(
            Case(
                name=f"nist/{name}",
                family="nist",
                group="nist",
                shape=(1, 3 if name == "NumAcc1" else 5000 if name == "PiDigits" else 1001),
                layout="NC",
                norms=("flat",),
                storages=storages,
                rationale=why,
                source=f"{SOURCE}{name.lower()}.html",
                levels=QUICK if name == "NumAcc4" else DEFAULT,
                kappa_requested=kappa,
                corrections=(1.0,),
                exact_decimals=data,
                generate=partial(_stored, data=data),
            )
        )
    return tuple(made)
