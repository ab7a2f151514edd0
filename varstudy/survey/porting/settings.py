"""The numbers that a port is given, read and checked; and the two sides that it compares under them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..findings.properties import EpsilonPlace
from .convention import Convention
from .maths import PortError, exact

__all__ = ["Sides", "counts_of", "float_of", "momentum_of", "setting", "several"]


@dataclass(frozen=True)
class Sides:
    """The source and the target, with the exact settings that a port is computed from.

    Attributes
    ----------
    counts : n of the training batches. epsilon, momentum : the source's, None where they are not known.
    """

    source: Convention
    target: Convention
    counts: tuple[int, ...]
    epsilon: Fraction | None
    momentum: Fraction | None

    @property
    def target_epsilon(self) -> Fraction | None:
        """The epsilon to give to the target: none where it takes none."""
        return None if self.target.place == EpsilonPlace.NONE else self.epsilon

    @property
    def weight(self) -> Fraction | None:
        """The weight of the new batch in the source's running statistics."""
        return self.source.weight(self.momentum)

    @property
    def argument(self) -> Fraction | None:
        """The momentum argument that gives the target this weight: a weight and its argument are each other's."""
        if self.weight is None or self.target.fixed_weight is not None:
            return None
        return self.target.weight(self.weight)

    @property
    def handed(self) -> Fraction | None:
        """The weight of the new batch where the target gets the source's argument as the number it is."""
        return None if self.momentum is None else self.target.weight(self.momentum)


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


def setting(name: str, given: Any) -> Fraction:
    """A finite number of 0 or more, as it was written down."""
    try:
        number = exact(given)
        if float(number) >= 0:
            return number
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        pass
    raise PortError(f"{name}={given!r}: give a finite number of 0 or more")


def momentum_of(given: Any) -> Fraction:
    """A momentum argument: the weight of the new batch or of the old ones."""
    sentence = f"momentum={given!r}: give a number from 0 to 1, the argument as the source takes it"
    try:
        number = setting("momentum", given)
    except PortError:
        raise PortError(sentence) from None
    if number > 1:
        raise PortError(sentence)
    return number


def float_of(number: Fraction | None) -> float | None:
    """The nearest float64; None where that is none."""
    try:
        return None if number is None else float(number)
    except OverflowError:
        return None
