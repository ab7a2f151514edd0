"""What the kernels of the device are made of: reading values, merging states, leaving answers.

A function that is made for a storage, a width or a formula is made once, so that it is compiled once for all kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import cuda as _cuda
from numba import types

from ..formats import Format
from ..formulas import Formula
from ..inlining import inline
from ..verbs import read, start
from .intrinsics import (
    WARP,
    fetcher,
    moved,
    pick_state,
    put_state,
    shuffle_down,
    storer,
    vector_fetcher,
)
from .lanes import join, one_more, take

__all__ = [
    "NUMBERS",
    "answerer",
    "beginner",
    "block_tree",
    "cuda",
    "keeper",
    "leaver",
    "reader",
    "shuffle",
    "spreader",
    "tailer",
    "warp_tree",
]

cuda: Any = _cuda  # its words for the device are unknown to type checkers
shuffle: Any = getattr(cuda, "shfl_sync", None)  # the simulator has none
NUMBERS: dict[str, Any] = {"float32": types.float32, "float64": types.float64}


@inline
def get_shared(memory, index):  # type: ignore[no-untyped-def]
    return memory[index]


@inline
def put_shared(memory, index, value):  # type: ignore[no-untyped-def]
    memory[index] = value


@inline
def warp_tree(state, n, width):  # type: ignore[no-untyped-def]
    """Lane 0 of a warp: the state and the count of its first `width` lanes, a power of two."""
    offset = width >> 1
    while offset > 0:
        other = moved(state, offset)
        m = shuffle_down(WARP, n, offset)
        state = join(state, n, other, m)
        n = np.int32(n + m)
        offset >>= 1
    return state, n


@inline
def block_tree(state, n, numbers, counts):  # type: ignore[no-untyped-def]
    """Lane 0 of every warp: the state and the count of the whole block."""
    state, n = warp_tree(state, n, 32)
    warps = cuda.blockDim.x >> 5
    if warps > 1:
        warp = cuda.threadIdx.x >> 5
        lane = cuda.threadIdx.x & 31
        cuda.syncthreads()  # the exchange may still be read from the row before
        if lane == 0:
            put_state(put_shared, numbers, warp * len(state), state)
            counts[warp] = n
        cuda.syncthreads()
        n = np.int32(0)
        if lane < warps:
            state = pick_state(get_shared, numbers, lane * len(state), state)
            n = counts[lane]
        state, n = warp_tree(state, n, warps)
    return state, n


@inline
def following(segment, offset, length):  # type: ignore[no-untyped-def]
    """Where the next value lies."""
    offset += 1
    return (segment + 1, 0) if offset == length else (segment, offset)


@inline
def four_on(segment, offset, length):  # type: ignore[no-untyped-def]
    segment, offset = following(segment, offset, length)
    segment, offset = following(segment, offset, length)
    segment, offset = following(segment, offset, length)
    return following(segment, offset, length)


@cache
def gatherer(fetch: Any, width: int) -> Any:
    """The function that reads a step's values one by one, wherever they lie."""

    @inline
    def one(base, segment, offset, length, segment_stride, stride):  # type: ignore[no-untyped-def]
        return (fetch(base, segment * segment_stride + offset * stride),)

    @inline
    def four(base, segment, offset, length, segment_stride, stride):  # type: ignore[no-untyped-def]
        a = fetch(base, segment * segment_stride + offset * stride)
        segment, offset = following(segment, offset, length)
        b = fetch(base, segment * segment_stride + offset * stride)
        segment, offset = following(segment, offset, length)
        c = fetch(base, segment * segment_stride + offset * stride)
        segment, offset = following(segment, offset, length)
        d = fetch(base, segment * segment_stride + offset * stride)
        return (a, b, c, d)

    @inline
    def eight(base, segment, offset, length, segment_stride, stride):  # type: ignore[no-untyped-def]
        first = four(base, segment, offset, length, segment_stride, stride)
        segment, offset = four_on(segment, offset, length)
        return first + four(base, segment, offset, length, segment_stride, stride)

    return {1: one, 4: four, 8: eight}[width]


@cache
def reader(storage: Format, number: Any, width: int) -> Any:
    """The function that reads a whole step: by 16-byte loads where asked."""
    fetch, size = fetcher(storage.name, number), storage.dtype.itemsize
    gather = gatherer(fetch, width)

    @inline
    def singly(by_vectors, base, segment, offset, length, segment_stride, stride):  # type: ignore[no-untyped-def]
        return gather(base, segment, offset, length, segment_stride, stride)

    if width == 1:
        return singly
    fetch_vector = vector_fetcher(storage.name, number, width)

    @inline
    def either(by_vectors, base, segment, offset, length, segment_stride, stride):  # type: ignore[no-untyped-def]
        if by_vectors:
            return fetch_vector(base + (segment * segment_stride + offset) * size)
        return gather(base, segment, offset, length, segment_stride, stride)

    return either


@cache
def beginner(formula: Formula, accumulator: Format) -> Any:
    """The function that makes a row's empty state."""
    empty = formula.empty(accumulator.dtype.type(0))
    get = fetcher(accumulator.name, NUMBERS[accumulator.name])

    @inline
    def centred(centres, row):  # type: ignore[no-untyped-def]
        return start(empty, get(centres, 2 * row), get(centres, 2 * row + 1))

    @inline
    def plain(centres, row):  # type: ignore[no-untyped-def]
        return empty

    return plain if formula.centre is None else centred


@cache
def spreader(lanes: int) -> Any:
    """The function that makes a thread's lanes from the empty state."""

    @inline
    def one(state):  # type: ignore[no-untyped-def]
        return (state,)

    @inline
    def four(state):  # type: ignore[no-untyped-def]
        return (state, state, state, state)

    return {1: one, 4: four}[lanes]


@cache
def answerer(accumulator: Format) -> Any:
    """The function that stores a row's answers."""
    put = storer(accumulator.name, NUMBERS[accumulator.name])

    @inline
    def answer(answers, row, state, n):  # type: ignore[no-untyped-def]
        first, second = read(state, n)
        put(answers, 2 * row, first)
        put(answers, 2 * row + 1, second)

    return answer


@cache
def leaver(accumulator: Format) -> Any:
    """The function that stores a row's answers, or a part's state where a row has several parts."""
    answer, put = answerer(accumulator), storer(accumulator.name, NUMBERS[accumulator.name])
    put_count = storer("int32", types.int64)

    @inline
    def leave(parts, row, part, states, counts, answers, state, n):  # type: ignore[no-untyped-def]
        if parts == 1:
            answer(answers, row, state, n)
        else:
            put_state(put, states, (row * parts + part) * len(state), state)
            put_count(counts, row * parts + part, np.int64(n))

    return leave


@cache
def tailer(fetch: Any, width: int) -> Any:
    """The function that takes the last, incomplete step: the lanes, what each holds, and how many hold one more."""
    gather = gatherer(fetch, 4)

    @inline
    def none(lanes, n, rest, base, segment, offset, length, segment_stride, stride):  # type: ignore[no-untyped-def]
        return lanes, n, rest

    @inline
    def under_four(lanes, n, rest, base, segment, offset, length, segment_stride, stride):  # type: ignore[no-untyped-def]
        for j in range(rest):
            x = fetch(base, segment * segment_stride + offset * stride)
            lanes = one_more(lanes, n, j, x)
            segment, offset = following(segment, offset, length)
        return lanes, n, rest

    @inline
    def under_eight(lanes, n, rest, base, segment, offset, length, segment_stride, stride):  # type: ignore[no-untyped-def]
        if rest >= 4:
            lanes = take(lanes, n, gather(base, segment, offset, length, segment_stride, stride))
            n += 1
            rest -= 4
            segment, offset = four_on(segment, offset, length)
        return under_four(lanes, n, rest, base, segment, offset, length, segment_stride, stride)

    return {1: none, 4: under_four, 8: under_eight}[width]


@cache
def keeper(width: int) -> tuple[Callable[..., None], Callable[..., Any]]:
    """The functions that lay a step's values in shared memory and pick them up: value j `threads` after value j - 1,
    so that a warp's accesses lie side by side."""

    @inline
    def lay_four(memory, at, threads, x):  # type: ignore[no-untyped-def]
        memory[at] = x[0]
        memory[at + threads] = x[1]
        memory[at + 2 * threads] = x[2]
        memory[at + 3 * threads] = x[3]

    @inline
    def pick_four(memory, at, threads):  # type: ignore[no-untyped-def]
        return (memory[at], memory[at + threads], memory[at + 2 * threads], memory[at + 3 * threads])

    @inline
    def lay_eight(memory, at, threads, x):  # type: ignore[no-untyped-def]
        lay_four(memory, at, threads, x[:4])
        lay_four(memory, at + 4 * threads, threads, x[4:])

    @inline
    def pick_eight(memory, at, threads):  # type: ignore[no-untyped-def]
        return pick_four(memory, at, threads) + pick_four(memory, at + 4 * threads, threads)

    return (lay_four, pick_four) if width == 4 else (lay_eight, pick_eight)
