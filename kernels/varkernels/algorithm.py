"""An algorithm is a formula in an order, or a function of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .formats import FORMATS, Format
from .formulas import FORMULAS, Formula
from .formulas.bounding import Bound, Setting
from .formulas.cost import Cost
from .matching import nearest
from .row_moments import Moments

__all__ = ["Algorithm", "Order", "compose", "nearest", "order_of"]

# What a function of a third party does: from a view (segments, rows, length) of float16, bfloat16, float32 or
# float64 values, a centre for each row or None, and the accumulator, to the rows' means and their M2s.
Run = Callable[[NDArray[Any], "NDArray[np.float64] | None", Format], "tuple[NDArray[Any], NDArray[Any]]"]
Whole = Callable[[NDArray[Any], Format], Moments]


@dataclass(frozen=True)
class Order:
    """A schedule: which kernel runs, and its parameter.

    name : as `order_of` takes it. kernel : "running", "lanes" or "tree".
    width : lanes, or values in a leaf of the tree; 0 for "running".
    """

    name: str
    kernel: str
    width: int

    @property
    def merges(self) -> bool:
        """Whether it merges states, so that a formula without a merge cannot run in it."""
        return self.kernel != "running"

    def geometry(self, n: int) -> tuple[int, int]:
        """(b, m) for a row of n values: at most b values are taken by one state, and then at most m merges follow."""
        if self.kernel == "running":
            return n, 0
        if self.kernel == "lanes":
            return -(-n // self.width), (min(self.width, n) - 1).bit_length()
        return min(self.width, n), (-(-n // self.width) - 1).bit_length()


def order_of(name: str) -> Order:
    """The order called ``running``, ``pairwise``, ``lanesL`` or ``blockedB``, L and B from 1 up.

    Raises
    ------
    ValueError
        The name is none of these.
    """
    if name == "running":
        return Order(name, "running", 0)
    if name == "pairwise":
        return Order(name, "tree", 1)
    found = re.fullmatch(r"(lanes|blocked)([1-9][0-9]{0,5})", name)
    if not found:
        raise ValueError(
            f"order {name!r} is unknown: use running, pairwise, lanesL (say lanes32) or blockedB (blocked128)"
        )
    return Order(name, "lanes" if found[1] == "lanes" else "tree", int(found[2]))


@dataclass(frozen=True, eq=False)
class Algorithm:
    """A variance algorithm that the study can run.

    Attributes
    ----------
    name : unique; ``formula`` or ``formula/order``.
    formula, order : the names of its parts; for an algorithm with its own `run`, free words for the tables.
    title, summary, source : for people.
    run : a function (view, centre, accumulator) -> (means, M2s), or None for a formula in an order.
    whole : instead, a function (view with blocks in front, accumulator) -> Moments, of any rows and empty ones too,
        for one whose variance is more than M2 / (count - correction).
    parts : instead of both, the `Formula` and the order to run it in, as `compose` gives them.
    accumulators : names of the formats that it can accumulate in.
    builtin : whether it comes with this package; `register` says no.
    cost : what it costs a value; None: nobody has counted. A formula in an order has its formula's, as for the three
        below.
    merges : whether two samples' partial results can become one.
    difference : whether M2 is a difference of two sums of squares, so that data nobody measured can cancel it.
    bound : the worst-case error, from a `Setting` of rows, precision and order to a `Bound`; None: unknown.

    Views are arrays (segments, rows, length) with at least one value, or for `whole` (blocks, segments, rows, length)
    of any size, in the storage's dtype; the centre is a float64 array (rows,) or None, the accumulator a `Format`.
    Means and M2s are arrays (rows,) of the accumulator's dtype or float64.

    Raises
    ------
    ValueError
        Not exactly one of `run`, `whole` and `parts` is given, or the accumulators are none, or name no known format.
    """

    name: str
    formula: str
    order: str
    title: str = ""
    summary: str = ""
    source: str = ""
    run: Run | None = None
    whole: Whole | None = None
    parts: tuple[Formula, Order] | None = None
    accumulators: tuple[str, ...] = tuple(FORMATS)
    builtin: bool = False
    cost: Cost | None = None
    merges: bool = False
    difference: bool = False
    bound: Callable[[Setting], Bound] | None = None

    def __post_init__(self) -> None:
        if sum(part is not None for part in (self.run, self.whole, self.parts)) != 1:
            raise ValueError(
                f"algorithm {self.name!r} needs either parts (a formula and an order: see compose), or a run function, "
                "or a whole function"
            )
        unknown = [name for name in self.accumulators if name not in FORMATS]
        if unknown or not self.accumulators:
            raise ValueError(
                f"algorithm {self.name!r}: accumulators={self.accumulators!r} must name some of {', '.join(FORMATS)}"
            )

    @property
    def needs_centre(self) -> bool:
        """Whether the caller must give a centre for each row."""
        return self.parts is not None and self.parts[0].needs_centre

    @property
    def reads(self) -> int | None:
        """How often each value is read from memory; None: unknown, as for the two below."""
        return None if self.cost is None else self.cost.reads

    @property
    def operations(self) -> int | None:
        """Arithmetic operations a value over all sweeps."""
        return None if self.cost is None else self.cost.operations

    @property
    def state(self) -> int | None:
        """Numbers that one partial result keeps, the count apart."""
        return None if self.cost is None else self.cost.state

    def geometry(self, n: int) -> tuple[int, int]:
        """(b, m) for a row of n values, as `Order.geometry`; (1, 0) for one that is no formula in an order."""
        return self.parts[1].geometry(n) if self.parts else (1, 0)


def compose(formula: str | Formula, order: str = "running", *, name: str | None = None) -> Algorithm:
    """The algorithm that runs a formula in an order.

    Parameters
    ----------
    formula : a formula's name, or a Formula with verbs of its own.
    order : ``running``, ``pairwise``, ``lanesL`` or ``blockedB``.
    name : how it is called; ``formula/order`` by default.

    Raises
    ------
    ValueError
        The formula or order is unknown, or the order merges states and the formula has no merge.
    """
    if isinstance(formula, str):
        if formula not in FORMULAS:
            raise ValueError(f"formula {formula!r} is unknown: {nearest(formula, FORMULAS)}")
        formula = FORMULAS[formula]
    schedule = order_of(order)
    if schedule.merges and not formula.mergeable:
        raise ValueError(
            f"formula {formula.name!r} has no merge, so it cannot run in the order {order!r}, which merges "
            "states: use the order 'running', or a formula with a merge, such as 'chan'"
        )
    return Algorithm(
        name=name or f"{formula.name}/{order}",
        formula=formula.name,
        order=order,
        title=f"{formula.title}, {order}",
        summary=formula.summary,
        source=formula.source,
        parts=(formula, schedule),
        builtin=FORMULAS.get(formula.name) is formula,
        cost=formula.cost,
        merges=formula.mergeable,
        difference=formula.difference,
        bound=formula.bound,
    )
