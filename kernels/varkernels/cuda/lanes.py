"""How a thread's lanes take values, and how they become one state.

A thread has one or four lanes, each a state. A step brings `width` values: 1, 4, or 8 of 16 bits, so that four and
eight are 16 or 32 contiguous bytes. With four lanes, value j of a step goes to lane j mod 4. A formula with the verb
`tile` has one lane, which takes all values that are read together as one sample. All functions here are inlined.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from ..inlining import inline
from ..verbs import formula_of, merge, update
from .contraction import straight_tile

__all__ = ["fold", "int32", "join", "one_more", "take"]

int32: Any = np.int32  # a count that the verbs see: 32 bits are converted faster than 64


@inline
def join(a, na, b, nb):  # type: ignore[no-untyped-def]
    """The state of both samples, either of which may be empty."""
    if nb == 0:
        return a
    if na == 0:
        return b
    return merge(a, na, b, nb)


def take(lanes: Any, n: Any, values: Any) -> Any:
    """The lanes after the values of a step or of several; each held n before. Within kernels only, as those below."""
    raise RuntimeError("take() runs within compiled kernels only")


def one_more(lanes: Any, n: Any, j: Any, x: Any) -> Any:
    """The lanes after value x for lane j, which held n before."""
    raise RuntimeError("one_more() runs within compiled kernels only")


def fold(lanes: Any, n: Any, more: Any) -> Any:
    """One state of all lanes, the upper half merged into the lower; each holds n values, the first `more` one more."""
    raise RuntimeError("fold() runs within compiled kernels only")


def tile(state: Any, values: Any) -> Any:
    """The state of a sample of that many values."""
    raise RuntimeError("tile() runs within compiled kernels only")


@overload(tile)
def _tile(state, values):  # type: ignore[no-untyped-def]
    return straight_tile(formula_of(state), len(values))


@overload(take)
def _take(lanes, n, values):  # type: ignore[no-untyped-def]
    def one(lanes, n, values):  # type: ignore[no-untyped-def]
        return (update(lanes[0], int32(n + 1), values[0]),)

    def four(lanes, n, values):  # type: ignore[no-untyped-def]
        m = int32(n + 1)
        return (
            update(lanes[0], m, values[0]),
            update(lanes[1], m, values[1]),
            update(lanes[2], m, values[2]),
            update(lanes[3], m, values[3]),
        )

    def first(lanes, n, values):  # type: ignore[no-untyped-def]
        return take(take(lanes, n, values[:1]), n + 1, values[1:])

    def first_four(lanes, n, values):  # type: ignore[no-untyped-def]
        return take(take(lanes, n, values[:4]), n + 1, values[4:])

    def tiled(lanes, n, values):  # type: ignore[no-untyped-def]
        return (join(lanes[0], int32(n), tile(lanes[0], values), int32(len(values))),)

    if not (isinstance(lanes, types.UniTuple) and isinstance(values, types.BaseTuple)):
        return None
    formula = formula_of(lanes.dtype)
    if formula.tile is not None and len(values) > 1:
        return tiled
    if len(values) == len(lanes):
        return {1: one, 4: four}.get(len(lanes))
    return {1: first, 4: first_four}.get(len(lanes))


@overload(one_more)
def _one_more(lanes, n, j, x):  # type: ignore[no-untyped-def]
    def one(lanes, n, j, x):  # type: ignore[no-untyped-def]
        return (update(lanes[0], int32(n + 1), x),)

    def four(lanes, n, j, x):  # type: ignore[no-untyped-def]
        # Chosen by comparison: an index known only at run time would put the lanes into memory.
        before = lanes[0] if j == 0 else lanes[1] if j == 1 else lanes[2] if j == 2 else lanes[3]
        after = update(before, int32(n + 1), x)
        return (
            after if j == 0 else lanes[0],
            after if j == 1 else lanes[1],
            after if j == 2 else lanes[2],
            after if j == 3 else lanes[3],
        )

    return {1: one, 4: four}.get(len(lanes)) if isinstance(lanes, types.BaseTuple) else None


@overload(fold)
def _fold(lanes, n, more):  # type: ignore[no-untyped-def]
    def one(lanes, n, more):  # type: ignore[no-untyped-def]
        return lanes[0]

    def four(lanes, n, more):  # type: ignore[no-untyped-def]
        n0 = n + (1 if more > 0 else 0)
        n1 = n + (1 if more > 1 else 0)
        n2 = n + (1 if more > 2 else 0)
        return join(join(lanes[0], n0, lanes[2], n2), n0 + n2, join(lanes[1], n1, lanes[3], n), n1 + n)

    return {1: one, 4: four}.get(len(lanes)) if isinstance(lanes, types.BaseTuple) else None
