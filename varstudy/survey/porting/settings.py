"""The numbers that a port is given, read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .convention import Convention
from .maths import PortError, exact

__all__ = ["PortSettings", "counts_of", "float_of", "momentum_of", "setting", "several"]


@dataclass(frozen=True)
class PortSettings:
    """The two sides of a port, and the numbers that the conversion uses.

    Attributes
    ----------
    source, target : the two conventions. epsilon, momentum : the source's settings, by default its own.
    target_epsilon, target_momentum : the arguments to give to the target; None where not known.
    weight : of the new batch in the running statistics.
    values_per_channel : n of the training batches.
    """

    source: Convention
    target: Convention
    epsilon: float | None
    momentum: float | None
    target_epsilon: float | None
    target_momentum: float | None
    weight: float | None
    values_per_channel: tuple[int, ...]


def several(given: Any) -> tuple[Any, ...]:
    """One or several, as several."""
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (given,)


def counts_of(given: int | Sequence[int]) -> tuple[int, ...]:
    """n, the values of a channel: one or several whole numbers."""
    counts = several(given)
    for n in counts:
        try:
            whole = not isinstance(n, bool) and int(n) == n and n >= 1
        except (TypeError, ValueError, OverflowError):  # no number, NaN, infinity
            whole = False
        if not whole:
            raise PortError(f"values_per_channel={n!r}: give a whole number of 1 or more")
    if not counts:
        raise PortError("values_per_channel: give at least one")
    return tuple(int(n) for n in counts)


def _number(given: Any) -> Fraction | None:
    """A finite number of 0 or more, as it was written down; None of anything else."""
    try:
        number = exact(given)
        return number if float(number) >= 0 else None
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None


def setting(name: str, given: Any) -> Fraction:
    """A finite number of 0 or more."""
    number = _number(given)
    if number is None:
        raise PortError(f"{name}={given!r}: give a finite number of 0 or more")
    return number


def momentum_of(given: Any) -> Fraction:
    """A momentum argument: the weight of the new batch or of the old ones."""
    number = _number(given)
    if number is None or number > 1:
        raise PortError(f"momentum={given!r}: give a number from 0 to 1, the argument as the source takes it")
    return number


def float_of(number: Fraction | None) -> float | None:
    """The nearest float64; None where that is none."""
    try:
        return None if number is None else float(number)
    except OverflowError:
        return None
