"""What a formula is, and how a count becomes a number of the accumulator's type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..formats import BFLOAT16, format_of
from .bounding import Bound, Setting
from .cost import Cost, cost_of_tiles, cost_of_verbs

__all__ = ["ORDERS", "Formula", "like"]

# The orders in which the study runs a formula that has a merge; one without runs in the first only.
ORDERS = ("running", "lanes32", "pairwise", "blocked128")


@dataclass(frozen=True, eq=False)
class Formula:
    """A way to compute (mean, M2) of a stream of values.

    Attributes
    ----------
    name : how users call it.
    title : the same for a table's head.
    summary : one sentence: the formula and its weakness.
    source : author, year, DOI or section.
    state : the NamedTuple of scalars that the verbs carry.
    update, read, merge, start : the verbs; `merge` and `start` may be None.
    tile : the verb that makes a state of a tuple of 4 to 32 values, a power of two, at once; None: there is none.
    centre : what the state starts round: None (nothing), "first" (the row's first value), "given" (the
        caller's argument) or a Formula whose `read` gives it: a first sweep in the same order. Such a formula
        reads a pair (high, low) whose sum is the centre, and is no algorithm by itself.
    difference : whether M2 is a difference of two sums of squares, so that data nobody measured can cancel it.
    bound : the worst-case error, from a `Setting` to a `Bound`; None: nobody has derived one, and nothing is promised.
    orders : the orders in which the study runs it on the CPU; None: all that it can run in.
    cuda : the orders of `varkernels.cuda` in which it runs on a GPU; empty: none.
    place : formulas are listed by place, then by name.
    """

    name: str
    title: str
    summary: str
    source: str
    state: type
    update: Callable[..., Any]
    read: Callable[..., Any]
    merge: Callable[..., Any] | None = None
    start: Callable[..., Any] | None = None
    centre: str | Formula | None = None
    difference: bool = False
    bound: Callable[[Setting], Bound] | None = None
    tile: Callable[..., Any] | None = None
    orders: tuple[str, ...] | None = None
    cuda: tuple[str, ...] = ()
    place: int = 1000

    def __post_init__(self) -> None:
        if (self.centre is None) != (self.start is None):
            raise ValueError(f"formula {self.name!r}: a centre and the verb start go together")
        if isinstance(self.centre, str) and self.centre not in ("first", "given"):
            raise ValueError(f"formula {self.name!r}: centre {self.centre!r} is not 'first' or 'given'")

    @property
    def sweeps(self) -> int:
        """How often the values are read."""
        return 1 + (self.centre.sweeps if isinstance(self.centre, Formula) else 0)

    @property
    def mergeable(self) -> bool:
        """Whether two states can become one (the first sweep's too)."""
        first = self.centre
        return self.merge is not None and (not isinstance(first, Formula) or first.mergeable)

    @property
    def needs_centre(self) -> bool:
        """Whether the caller must give a centre for each row."""
        centre = self.centre
        return centre.needs_centre if isinstance(centre, Formula) else centre == "given"

    @property
    def fields(self) -> int:
        """How many numbers a state is."""
        return len(self.state._fields)  # type: ignore[attr-defined]

    def empty(self, zero: Any) -> Any:
        """The empty state, each number of it `zero`, whose type is the accumulator's."""
        return self.state(*[zero] * self.fields)

    @property
    def study_orders(self) -> tuple[str, ...]:
        """The orders in which the study runs it on the CPU."""
        if self.orders is not None:
            return self.orders
        return ORDERS if self.mergeable else ORDERS[:1]

    @cached_property
    def cost(self) -> Cost:
        """What it costs a value, over all sweeps, counted by running its verbs."""
        own = cost_of_tiles(self.tile, self.merge, self.state) if self.tile else cost_of_verbs(self.update, self.state)
        if not isinstance(self.centre, Formula):
            return own
        first = self.centre.cost
        return Cost(
            own.reads + first.reads,
            own.operations + first.operations,
            own.divisions + first.divisions,
            max(own.state, first.state),
        )


def like(exemplar: Any, value: Any) -> Any:
    """`value`, an integer or a float, rounded to nearest even in the exemplar's type or class; arrays elementwise."""
    scalar = type(exemplar)
    if isinstance(exemplar, np.ndarray):
        return format_of(exemplar.dtype).rounded(value).view(scalar)
    # bfloat16's own constructor rounds twice.
    return BFLOAT16.rounded(value)[()] if scalar is BFLOAT16.dtype.type else scalar(value)
