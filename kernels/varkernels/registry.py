"""Algorithm = formula x order: the table of all of them, and how others join it.

Another package offers an algorithm by an entry point in the group ``varstudy.algorithms`` whose object is an
`Algorithm` (made by `compose` from verbs, or round a function of its own) or a function that returns one.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .formats import FORMATS, Format
from .formulas import FORMULAS, Formula
from .row_moments import Moments

__all__ = ["Algorithm", "Order", "algorithms", "compose", "get", "order_of", "register"]

GROUP = "varstudy.algorithms"

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
        centre = self.parts[0].centre if self.parts else None
        while isinstance(centre, Formula):
            centre = centre.centre
        return centre == "given"


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
            raise ValueError(f"formula {formula!r} is unknown{_nearest(formula, list(FORMULAS))}")
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
    )


# The names that people know.
_KNOWN = {
    "naive": ("naive", "running"),
    "two_pass": ("two_pass", "running"),
    "welford": ("welford", "running"),
    "pairwise": ("two_pass", "pairwise"),
    "chan": ("chan", "pairwise"),
}
_ORDERS = ("running", "lanes32", "pairwise", "blocked128")


@cache
def _table() -> dict[str, Algorithm]:
    table = {name: compose(formula, order, name=name) for name, (formula, order) in _KNOWN.items()}
    taken = set(_KNOWN.values())
    for formula in FORMULAS.values():
        for order in _ORDERS:
            if (formula.name, order) in taken or (order != "running" and not formula.mergeable):
                continue
            name = formula.name if order == "running" and formula.name not in table else f"{formula.name}/{order}"
            table[name] = compose(formula, order, name=name)
    from .exact.algorithm import EXACT  # noqa: PLC0415 - these two build on this module
    from .fast import FAST  # noqa: PLC0415

    table |= {algorithm.name: replace(algorithm, builtin=True) for algorithm in (FAST, EXACT)}
    return table


def register(algorithm: Algorithm) -> Algorithm:
    """Add an algorithm to the table for this process and return it as the table has it, with ``builtin=False``.

    Parameters
    ----------
    algorithm : an `Algorithm`, such as `compose` makes.

    Raises
    ------
    TypeError
        It is not an Algorithm.
    ValueError
        Its name is taken.
    """
    if not isinstance(algorithm, Algorithm):
        raise TypeError(f"{algorithm!r} is not a varkernels.Algorithm")
    if algorithm.name in _table():
        raise ValueError(f"an algorithm named {algorithm.name!r} exists already: choose another name")
    _table()[algorithm.name] = replace(algorithm, builtin=False)
    return _table()[algorithm.name]


def _load(point: EntryPoint) -> None:
    found = point.load()
    if not isinstance(found, Algorithm) and callable(found):
        found = found()
    register(found)


@cache
def _complaints() -> list[str]:
    """Register the algorithms of other packages; a sentence for each entry point that could not be."""
    complaints = []
    for point in entry_points(group=GROUP):
        try:
            _load(point)
        except Exception as problem:  # whatever another package does, ours goes on
            owner = f"package {point.dist.name!r}" if point.dist else "a package"
            complaints.append(
                f"entry point {point.name!r} = {point.value!r} of {owner} in the group {GROUP!r} gives no "
                f"algorithm and is left out: {type(problem).__name__}: {problem}"
            )
    return complaints


def algorithms() -> dict[str, Algorithm]:
    """Every algorithm by its name: ours first, then those of other packages.

    An entry point of another package that fails is left out, with one RuntimeWarning that names it.
    """
    complaints = _complaints()
    while complaints:
        warnings.warn(complaints.pop(0), RuntimeWarning, stacklevel=2)
    return dict(_table())


def get(name: str) -> Algorithm:
    """The algorithm of that name, or the formula and order of ``formula/order``.

    Parameters
    ----------
    name : a name from `algorithms()`, or one of our formulas' and an order's, such as ``chan/lanes7``.

    Raises
    ------
    TypeError
        The name is no string.
    ValueError
        There is none, and the sentence suggests near names; or the order is unknown, or merges states and the formula
        has no merge.
    """
    if not isinstance(name, str):
        raise TypeError(f"algorithm {name!r} is no name: use a string, such as 'welford' or 'chan/lanes7'")
    known = algorithms()
    if name in known:
        return known[name]
    formula, slash, order = name.partition("/")
    if slash and formula in FORMULAS:
        return compose(formula, order)
    raise ValueError(f"algorithm {name!r} is unknown{_nearest(name, list(known))}")


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f": did you mean {' or '.join(near)}?" if near else f": use one of {', '.join(known)}"
