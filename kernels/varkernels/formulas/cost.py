"""What a formula costs a value, counted by running its verbs on numbers that count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Cost", "cost_of_tiles", "cost_of_verbs"]

TILE = 16  # values, for the cost of one


@dataclass(frozen=True)
class Cost:
    """What an algorithm does for one value of a long row, and what it keeps.

    Attributes
    ----------
    reads : how often each value is read from memory.
    operations : floating-point operations a value over all sweeps: sums, differences, products, quotients and fma, one
        each; signs and conversions are free. Merges and the end of a row are not counted.
    divisions : how many of these are quotients, which take a processor several times as long.
    state : numbers of the accumulator's format that one partial result keeps, the count apart.
    """

    reads: int
    operations: int
    divisions: int
    state: int


class Counting:
    """A number that counts the operations on its class; a subclass for each count."""

    operations = 0
    divisions = 0

    def __init__(self, value: Any = 0) -> None:
        pass

    def _one(self, *others: Any) -> Any:
        type(self).operations += 1
        return type(self)()

    __add__ = __sub__ = __mul__ = fma = _one

    def __truediv__(self, other: Any) -> Any:
        type(self).divisions += 1
        return self._one()

    def __neg__(self) -> Any:
        return self


def cost_of_verbs(update: Callable[..., Any], state: type) -> Cost:
    """The cost of one sweep: of the verb `update` once rows are longer than any special case at their start.

    Parameters
    ----------
    update, state : as a `Formula` has them.
    """
    number = type("number", (Counting,), {})
    fields = len(state._fields)  # type: ignore[attr-defined]
    update(state(*(number() for _ in range(fields))), 1000, number())
    return Cost(1, number.operations, number.divisions, fields)  # type: ignore[attr-defined]


def cost_of_tiles(tile: Callable[..., Any], merge: Callable[..., Any] | None, state: type) -> Cost:
    """The cost of one sweep by tiles of 16 values, a value's share of a tile and its merge, rounded to whole numbers.

    Parameters
    ----------
    tile, merge, state : as a `Formula` has them.
    """
    number = type("number", (Counting,), {})
    fields = len(state._fields)  # type: ignore[attr-defined]
    before = state(*(number() for _ in range(fields)))
    after = tile(before, tuple(number() for _ in range(TILE)))
    if merge is not None:
        merge(before, 1000, after, TILE)
    return Cost(1, round(number.operations / TILE), round(number.divisions / TILE), fields)  # type: ignore[attr-defined]
