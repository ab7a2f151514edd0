"""The table of all algorithms, and how other packages join it.

Another package offers an algorithm by an entry point in the group ``varstudy.algorithms`` whose object is an
`Algorithm` (made by `compose` from verbs, or round a function of its own) or a function that returns one.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from .algorithm import Algorithm, compose
from .exact.algorithm import EXACT
from .formulas import FORMULAS
from .matching import nearest

__all__ = ["algorithms", "get", "register"]

GROUP = "varstudy.algorithms"

# The names that people know.
_KNOWN = {
    "naive": ("naive", "running"),
    "two_pass": ("two_pass", "running"),
    "welford": ("welford", "running"),
    "pairwise": ("two_pass", "pairwise"),
    "chan": ("chan", "pairwise"),
}


@cache
def table() -> dict[str, Algorithm]:
    """Every algorithm of this process by its name; `register` adds to it."""
    found = {name: compose(formula, order, name=name) for name, (formula, order) in _KNOWN.items()}
    taken = set(_KNOWN.values())
    for formula in FORMULAS.values():
        for order in formula.study_orders:
            if (formula.name, order) in taken:
                continue
            name = formula.name if order == "running" and formula.name not in found else f"{formula.name}/{order}"
            found[name] = compose(formula, order, name=name)
    return found | {EXACT.name: replace(EXACT, builtin=True)}


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
    if algorithm.name in table():
        raise ValueError(f"an algorithm named {algorithm.name!r} exists already: choose another name")
    table()[algorithm.name] = replace(algorithm, builtin=False)
    return table()[algorithm.name]


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
    return dict(table())


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
    others = ", ".join(each for each in known if each != EXACT.name)
    advice = f"use 'exact', the default and the fastest, or one of {others}"
    raise ValueError(f"algorithm {name!r} is unknown: {nearest(name, known, advice, cutoff=0.6)}")
