"""What the kernels of the device are made of: a row's beginning, the merging of a team's states, and leaving answers.

A team is the threads that share a part of a row: a power of two, up to a block. All functions here are inlined.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda as _cuda
from numba import types
from numba.extending import overload

from ..inlining import inline
from ..verbs import read, start
from .intrinsics import WARP, moved, pick, pick_state, put, put_state, shuffle_down
from .lanes import join

__all__ = ["NUMBERS", "answer", "begin", "cuda", "fours", "keep", "kept", "leave", "ones", "shuffle", "team_tree"]

cuda: Any = _cuda  # its words for the device are unknown to type checkers
shuffle: Any = getattr(cuda, "shfl_sync", None)  # the simulator has none
NUMBERS: dict[str, Any] = {"float32": types.float32, "float64": types.float64}


@inline
def begin(empty, centres, row):  # type: ignore[no-untyped-def]
    """A row's empty state. Without a centre nothing is read: `start` leaves the state as it is, and the compiler drops
    a load that nobody needs."""
    return start(empty, pick(empty[0], centres, 2 * row), pick(empty[0], centres, 2 * row + 1))


@inline
def ones(state):  # type: ignore[no-untyped-def]
    """A thread's one lane."""
    return (state,)


@inline
def fours(state):  # type: ignore[no-untyped-def]
    """A thread's four lanes."""
    return (state, state, state, state)


@inline
def halved(state, n, width):  # type: ignore[no-untyped-def]
    """Lane 0 of each `width` lanes of a warp: the state and the count of all of them."""
    offset = width >> 1
    while offset > 0:
        other = moved(state, offset)
        m = shuffle_down(WARP, n, offset)
        state = join(state, n, other, m)
        n = np.int32(n + m)
        offset >>= 1
    return state, n


@inline
def team_tree(state, n, team, numbers, counts):  # type: ignore[no-untyped-def]
    """The first thread of a team: the state and the count of all of it.

    numbers, counts : shared memory, a state and a count for each warp, which several warps leave theirs in.
    """
    state, n = halved(state, n, min(team, 32))
    if team > 32:  # then the team is the block
        warps = team >> 5
        warp = cuda.threadIdx.x >> 5
        lane = cuda.threadIdx.x & 31
        cuda.syncthreads()  # the exchange may still be read from the row before
        if lane == 0:
            put_state(numbers, warp * len(state), state)
            counts[warp] = n
        cuda.syncthreads()
        n = np.int32(0)
        if lane < warps:
            state = pick_state(state, numbers, lane * len(state))
            n = counts[lane]
        state, n = halved(state, n, warps)
    return state, n


@inline
def answer(answers, row, state, n):  # type: ignore[no-untyped-def]
    """Store a row's answers."""
    first, second = read(state, n)
    put(first, answers, 2 * row)
    put(second, answers, 2 * row + 1)


@inline
def leave(parts, row, part, states, counts, answers, state, n):  # type: ignore[no-untyped-def]
    """Store a row's answers, or a part's state where a row has several parts."""
    if parts == 1:
        answer(answers, row, state, n)
    else:
        put_state(states, (row * parts + part) * len(state), state)
        put(np.int32(n), counts, row * parts + part)


def keep(memory: Any, at: Any, apart: int, values: Any) -> None:
    """Lay values in shared memory, each `apart` elements after the one before, so that a warp's lie side by side."""
    raise RuntimeError("keep() runs within compiled kernels only")


@overload(keep)
def _keep(memory, at, apart, values):  # type: ignore[no-untyped-def]
    def four(memory, at, apart, values):  # type: ignore[no-untyped-def]
        memory[at] = values[0]
        memory[at + apart] = values[1]
        memory[at + 2 * apart] = values[2]
        memory[at + 3 * apart] = values[3]

    def more(memory, at, apart, values):  # type: ignore[no-untyped-def]
        keep(memory, at, apart, values[:4])
        keep(memory, at + 4 * apart, apart, values[4:])

    return four if len(values) == 4 else more


@inline
def kept(memory, at, apart):  # type: ignore[no-untyped-def]
    """Four values that `keep` laid."""
    return memory[at], memory[at + apart], memory[at + 2 * apart], memory[at + 3 * apart]
