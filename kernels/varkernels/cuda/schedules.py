"""The orders on the device: which thread takes which value, and who merges whom. No arithmetic of moments here.

Value k of a row, in the order (segment, position), belongs to step k // width; step q to thread q mod (parts T) of
the parts of T threads that share the row. That depends on neither strides nor alignment, so neither do the answers:
where 16-byte loads are not possible, the same values come by scalar loads.

Within a thread the lanes are folded, within a warp the lane `offset` on is merged in for offset 16, 8, 4, 2, 1,
then the warps' states in shared memory likewise, by every warp; the parts of a row by a kernel of their own, in an
order of their own. No atomics: the same bits on every run.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import types

from ..formats import Format
from ..formulas import Formula
from ..verbs import learn, read, start, update
from .catalogue import HELD_BYTES, WARPS, Kernel, step_width
from .intrinsics import (
    WARP,
    fetcher,
    pick_state,
    quotient,
)
from .lanes import fold, int32, join, take
from .stages import (
    NUMBERS,
    answerer,
    beginner,
    block_tree,
    cuda,
    keeper,
    leaver,
    reader,
    shuffle,
    spreader,
    tailer,
    warp_tree,
)

__all__ = ["function"]


def sweep_kernel(formula: Formula, storage: Format, accumulator: Format, lanes: int) -> Callable[..., None]:
    """Blocks of threads over rows: one block a row, or `parts` blocks that leave partial states."""
    number, size = NUMBERS[accumulator.name], storage.dtype.itemsize
    slots = WARPS * formula.fields
    width = step_width(lanes, storage)
    rounds = width // lanes
    fetch = fetcher(storage.name, number)
    read_step = reader(storage, number, width)
    begin, spread, leave = beginner(formula, accumulator), spreader(lanes), leaver(accumulator)
    finish_row = tailer(fetch, width)

    def sweep(  # type: ignore[no-untyped-def]
        data, rows, total, length, values, block_stride, segment_stride, row_stride, stride,
        vectors, parts, centres, states, counts, answers,
    ):  # fmt: skip
        exchange = cuda.shared.array(slots, number)
        exchange_counts = cuda.shared.array(WARPS, types.int32)
        threads = np.int64(cuda.blockDim.x)
        whole = quotient(values, width)
        pace = parts * threads
        segments_on = quotient(pace * width, length)
        offset_on = pace * width - segments_on * length
        job = np.int64(cuda.blockIdx.x)
        while job < total * parts:
            row = quotient(job, parts)
            part = job - row * parts
            block = quotient(row, rows)
            base = data + (block * block_stride + (row - block * rows) * row_stride) * size
            by_vectors = vectors != 0 and (base & 15) == 0
            step = part * threads + cuda.threadIdx.x
            segment = quotient(step * width, length)
            offset = step * width - segment * length
            lane_states = spread(begin(centres, row))
            n = np.int64(0)
            while step < whole:
                x = read_step(by_vectors, base, segment, offset, length, segment_stride, stride)
                lane_states = take(lane_states, n, x)
                n += rounds
                step += pace
                segment += segments_on
                offset += offset_on
                if offset >= length:
                    offset -= length
                    segment += 1
            more = np.int64(0)
            if step == whole:  # the values after the last whole step are for the thread whose turn it is
                rest = values - whole * width
                lane_states, n, more = finish_row(
                    lane_states, n, rest, base, segment, offset, length, segment_stride, stride
                )
            state = fold(lane_states, n, more)
            state, count = block_tree(state, np.int32(lanes * n + more), exchange, exchange_counts)
            if cuda.threadIdx.x == 0:
                leave(parts, row, part, states, counts, answers, state, count)
            job += cuda.gridDim.x

    return sweep


def thread_kernel(formula: Formula, storage: Format, accumulator: Format) -> Callable[..., None]:
    """One thread a row, its values one by one; or `parts` threads that leave partial states.

    Neighbouring threads take neighbouring rows, whose values lie side by side where channels come last.
    """
    number, size = NUMBERS[accumulator.name], storage.dtype.itemsize
    fetch = fetcher(storage.name, number)
    begin, leave = beginner(formula, accumulator), leaver(accumulator)

    def thread(  # type: ignore[no-untyped-def]
        data, rows, total, length, values, block_stride, segment_stride, row_stride, stride,
        vectors, parts, centres, states, counts, answers,
    ):  # fmt: skip
        segments_on = quotient(parts, length)
        offset_on = parts - segments_on * length
        job = np.int64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
        while job < total * parts:
            part = quotient(job, total)
            row = job - part * total
            block = quotient(row, rows)
            base = data + (block * block_stride + (row - block * rows) * row_stride) * size
            segment = quotient(part, length)
            offset = part - segment * length
            state = begin(centres, row)
            n = np.int64(0)
            k = part
            while k < values:
                n += 1
                state = update(state, int32(n), fetch(base, segment * segment_stride + offset * stride))
                k += parts
                segment += segments_on
                offset += offset_on
                if offset >= length:
                    offset -= length
                    segment += 1
            leave(parts, row, part, states, counts, answers, state, n)
            job += np.int64(cuda.gridDim.x) * cuda.blockDim.x

    return thread


def finish_kernel(formula: Formula, accumulator: Format) -> Callable[..., None]:
    """One warp a row merges the row's parts: lane t those of index t, t + 32, ..., then the lanes."""
    number = NUMBERS[accumulator.name]
    empty = formula.empty(accumulator.dtype.type(0))
    get, get_count = fetcher(accumulator.name, number), fetcher("int32", types.int64)
    answer = answerer(accumulator)

    def finish(total, parts, states, counts, answers):  # type: ignore[no-untyped-def]
        row = np.int64(cuda.blockIdx.x)
        while row < total:
            state = empty
            n = np.int32(0)
            part = np.int64(cuda.threadIdx.x)
            while part < parts:
                index = row * parts + part
                other = pick_state(get, states, index * len(empty), empty)
                m = np.int32(get_count(counts, index))
                state = join(state, n, other, m)
                n = np.int32(n + m)
                part += 32
            state, n = warp_tree(state, n, 32)
            if cuda.threadIdx.x == 0:
                answer(answers, row, state, n)
            row += cuda.gridDim.x

    return finish


def held_kernel(formula: Formula, storage: Format, accumulator: Format) -> Callable[..., None]:
    """A two-pass formula by one block a row that reads memory once: the row stays in shared memory.

    The same lanes and trees as the kind sweep's, four lanes a thread, hence the same bits. `values` is at most
    `catalogue.held_most`.
    """
    first = formula.centre
    assert isinstance(first, Formula)
    number, size = NUMBERS[accumulator.name], storage.dtype.itemsize
    capacity = HELD_BYTES // accumulator.dtype.itemsize
    slots = WARPS * max(formula.fields, first.fields)
    zero = accumulator.dtype.type(0)
    empty, empty_first = formula.empty(zero), first.empty(zero)
    width = step_width(4, storage)
    rounds = width // 4
    fetch = fetcher(storage.name, number)
    read_step = reader(storage, number, width)
    lay, pick = keeper(width)
    spread, answer = spreader(4), answerer(accumulator)
    finish_row = tailer(fetch, width)

    def held(  # type: ignore[no-untyped-def]
        data, rows, total, length, values, block_stride, segment_stride, row_stride, stride,
        vectors, parts, centres, states, counts, answers,
    ):  # fmt: skip
        memory = cuda.shared.array(capacity, number)
        exchange = cuda.shared.array(slots, number)
        exchange_counts = cuda.shared.array(WARPS, types.int32)
        threads = np.int64(cuda.blockDim.x)
        whole = quotient(values, width)
        rest = values - whole * width
        segments_on = quotient(threads * width, length)
        offset_on = threads * width - segments_on * length
        row = np.int64(cuda.blockIdx.x)
        while row < total:
            block = quotient(row, rows)
            base = data + (block * block_stride + (row - block * rows) * row_stride) * size
            by_vectors = vectors != 0 and (base & 15) == 0
            step = np.int64(cuda.threadIdx.x)
            segment = quotient(step * width, length)
            offset = step * width - segment * length
            at = step
            sums = spread(empty_first)
            n = np.int64(0)
            while step < whole:
                x = read_step(by_vectors, base, segment, offset, length, segment_stride, stride)
                lay(memory, at, threads, x)
                sums = take(sums, n, x)
                n += rounds
                at += width * threads
                step += threads
                segment += segments_on
                offset += offset_on
                if offset >= length:
                    offset -= length
                    segment += 1
            more = np.int64(0)
            full = n
            if step == whole:
                sums, n, more = finish_row(sums, n, rest, base, segment, offset, length, segment_stride, stride)
            total_sum = fold(sums, n, more)
            total_sum, count = block_tree(total_sum, np.int32(4 * n + more), exchange, exchange_counts)
            high, low = read(total_sum, max(count, 1))
            state = start(empty, shuffle(WARP, high, 0), shuffle(WARP, low, 0))
            lane_states = spread(state)
            m = np.int64(0)
            at = np.int64(cuda.threadIdx.x)
            while m < full:
                lane_states = take(lane_states, m, pick(memory, at, threads))
                m += rounds
                at += width * threads
            if step == whole:  # a few values only: they come from memory again
                lane_states, m, more = finish_row(
                    lane_states, m, rest, base, segment, offset, length, segment_stride, stride
                )
            state = fold(lane_states, n, more)
            state, count = block_tree(state, np.int32(4 * n + more), exchange, exchange_counts)
            if cuda.threadIdx.x == 0:
                answer(answers, row, state, count)
            row += cuda.gridDim.x

    return held


def function(kernel: Kernel) -> Callable[..., None]:
    """The Python function of a kernel, its arguments those of `abi`."""
    formula, accumulator = kernel.formula, kernel.accumulator
    learn(formula)
    if kernel.kind == "finish":
        return finish_kernel(formula, accumulator)
    assert kernel.storage is not None
    if kernel.kind == "thread":
        return thread_kernel(formula, kernel.storage, accumulator)
    if kernel.kind == "held":
        return held_kernel(formula, kernel.storage, accumulator)
    return sweep_kernel(formula, kernel.storage, accumulator, kernel.lanes)
