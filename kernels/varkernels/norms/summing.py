"""Exact sums of terms that are made piece by piece."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from ..exact.rounding_one import nearest
from ..exact.table import SumTable, exact_table
from ..formats import Format
from .answers import ExactArray
from .pairs import Floats, expansion
from .row_statistics import moved, slabs

__all__ = ["Leftover", "total_arrays", "totals"]

# Exact terms that are not in the arrays, with their indices.
Leftover = list[tuple[tuple[int, ...], Fraction]]


def totals(
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    terms: Callable[[tuple[slice, ...]], tuple[list[Floats], Leftover]],
) -> list[Fraction | None]:
    """The exact sums over some axes, in memory order of the others; None where a term is not finite.

    Parameters
    ----------
    shape : of the whole. terms : from a piece of it to arrays, each with one part of every term, and to more terms.
    """
    kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
    places = np.arange(math.prod(kept)).reshape(kept)
    tables: list[SumTable] = []
    more: dict[int, Fraction] = {}
    for part in slabs(shape):
        arrays, leftover = terms((part, *(slice(None),) * (len(shape) - 1)))
        tables.append(exact_table(np.concatenate([moved(each, axes) for each in arrays])))
        for at, value in leftover:
            place = int(places[tuple(0 if n == 1 else k for k, n in zip(at, kept, strict=True))])
            more[place] = more.get(place, Fraction(0)) + value
    if not tables:
        return [Fraction(0)] * places.size
    table = SumTable.together(tables) if 0 in axes else SumTable.stacked(tables)
    found: list[Fraction | None] = []
    for k, sums in enumerate(table):
        if sums.nan or sums.posinf or sums.neginf:
            found.append(None)
            continue
        up, down = max(0, sums.exponent), max(0, -sums.exponent)
        found.append(Fraction(sums.s1 << up, 1 << down) + more.get(k, 0))
    return found


def total_arrays(found: list[Fraction | None], shape: tuple[int, ...], fmt: Format) -> ExactArray:
    """Exact sums as arrays of a shape, rounded once to a format."""
    table = np.full((len(found), 3), np.nan)
    for k, value in enumerate(found):
        if value is not None:
            p, q = value.as_integer_ratio()
            table[k] = (nearest(p, q, 0, fmt), *expansion(p, q, 0, 2))
    near, high, low = (np.ascontiguousarray(each).reshape(shape) for each in table.T)
    return ExactArray(fmt.rounded(near), high, low, fmt)
