"""The orders on the device: which thread takes which value, and who merges whom. No arithmetic of moments here.

Value k of a row, in the order (segment, position), belongs to step k // width; step q to thread q mod (parts T) of
the parts of T threads that share the row. That depends on neither strides nor alignment, so neither do the answers:
where 16-byte loads are not possible, the same values come by scalar loads.

A thread reads several steps before it takes the first of them, so that the memory has as many loads in flight. Where
it is in memory it knows as an address and an offset in the segment, both moved on by what was computed before the loop.

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
from ..verbs import learn, read, start
from .catalogue import HELD_BYTES, WARPS, Kernel, at_once, step_width, tile_of_columns
from .exact_sums import exact_kernel
from .intrinsics import WARP, pick, pick_state, quotient, reader
from .lanes import fold, int32, join, one_more, take
from .stages import NUMBERS, answer, begin, cuda, fours, keep, kept, leave, ones, shuffle, team_tree

__all__ = ["function"]


def sweep_kernel(formula: Formula, storage: Format, accumulator: Format, kind: str, lanes: int) -> Callable[..., None]:
    """Teams of threads over rows: several teams in a block, or blocks each a team, `parts` of which share a row and
    leave partial states."""
    number, size = NUMBERS[accumulator.name], storage.dtype.itemsize
    slots = WARPS * formula.fields
    width, ahead = step_width(kind, lanes, storage), at_once(kind, lanes, storage)
    rounds = width // lanes  # values that a lane takes of a step
    empty = formula.empty(accumulator.dtype.type(0))
    spread = fours if lanes == 4 else ones
    read_steps = reader(storage.name, number, width, ahead)
    read_step = reader(storage.name, number, width, 1)
    read_value = reader(storage.name, number, 1, 1)

    def sweep(  # type: ignore[no-untyped-def]
        data, rows, total, length, values, block_stride, segment_stride, row_stride, stride,
        vectors, parts, team, centres, states, counts, answers,
    ):  # fmt: skip
        exchange = cuda.shared.array(slots, number)
        exchange_counts = cuda.shared.array(WARPS, types.int32)
        which = quotient(cuda.threadIdx.x, team)  # team of the block
        member = cuda.threadIdx.x - which * team
        teams = quotient(cuda.blockDim.x, team)
        whole = quotient(values, width)
        rest = values - whole * width
        # From a thread's step to its next: positions, of which whole segments are in the bytes; from a value to the
        # next; and what leads from a segment's end to the next segment.
        pace = parts * team
        segments_on = quotient(pace * width, length)
        step_on = pace * width - segments_on * length
        step_bytes = (segments_on * segment_stride + step_on * stride) * size
        next_bytes = stride * size
        wrap = (segment_stride - length * stride) * size
        first = np.int64(cuda.blockIdx.x) * teams
        while first < total * parts:
            mine = first + which < total * parts  # the last block may have a team too many
            job = min(first + which, total * parts - 1)
            row = quotient(job, parts)
            part = job - row * parts
            block = quotient(row, rows)
            base = data + (block * block_stride + (row - block * rows) * row_stride) * size
            by_vectors = vectors if base & 15 == 0 else 0
            step = part * team + member
            turns = int32(quotient(whole + pace - 1 - step, pace) if mine else 0)
            last = mine and step + turns * pace == whole  # whose turn it is when whole steps end
            segment = quotient(step * width, length)
            offset = int32(step * width - segment * length)
            address = base + (segment * segment_stride + offset * stride) * size
            lane_states = spread(begin(empty, centres, row))
            n = int32(0)
            while turns >= ahead:
                x, address, offset = read_steps(
                    by_vectors, address, offset, step_bytes, int32(step_on), next_bytes, int32(length), wrap
                )
                lane_states = take(lane_states, n, x)
                n = int32(n + ahead * rounds)
                turns = int32(turns - ahead)
            while turns > 0:
                x, address, offset = read_step(
                    by_vectors, address, offset, step_bytes, int32(step_on), next_bytes, int32(length), wrap
                )
                lane_states = take(lane_states, n, x)
                n = int32(n + rounds)
                turns = int32(turns - 1)
            more = int32(0)
            if last:
                for j in range(int32(rest)):
                    x, address, offset = read_value(
                        0, address, offset, next_bytes, int32(1), next_bytes, int32(length), wrap
                    )
                    lane_states = one_more(lane_states, n + j // lanes, j % lanes, x[0])
                n = int32(n + rest // lanes)
                more = int32(rest % lanes)
            state = fold(lane_states, n, more)
            state, count = team_tree(state, int32(lanes * n + more), team, exchange, exchange_counts)
            if member == 0 and mine:
                leave(parts, row, part, states, counts, answers, state, count)
            first += np.int64(cuda.gridDim.x) * teams

    return sweep


def thread_kernel(formula: Formula, storage: Format, accumulator: Format) -> Callable[..., None]:
    """One thread a row, its values one by one; or `parts` threads that leave partial states.

    Neighbouring threads take neighbouring rows, whose values lie side by side where channels come last. A step is a
    value here.
    """
    number, size = NUMBERS[accumulator.name], storage.dtype.itemsize
    empty = formula.empty(accumulator.dtype.type(0))
    many, few = (4, 1) if formula.tile is None else (tile_of_columns(storage), 4)
    read_many, read_few, read_one = (reader(storage.name, number, 1, count) for count in (many, few, 1))

    def thread(  # type: ignore[no-untyped-def]
        data, rows, total, length, values, block_stride, segment_stride, row_stride, stride,
        vectors, parts, team, centres, states, counts, answers,
    ):  # fmt: skip
        segments_on = quotient(parts, length)
        step_on = parts - segments_on * length
        step_bytes = (segments_on * segment_stride + step_on * stride) * size
        wrap = (segment_stride - length * stride) * size
        job = np.int64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
        while job < total * parts:
            part = quotient(job, total)
            row = job - part * total
            block = quotient(row, rows)
            base = data + (block * block_stride + (row - block * rows) * row_stride) * size
            segment = quotient(part, length)
            offset = int32(part - segment * length)
            address = base + (segment * segment_stride + offset * stride) * size
            turns = int32(quotient(values + parts - 1 - part, parts))
            lane = ones(begin(empty, centres, row))
            n = int32(0)
            while turns >= many:
                x, address, offset = read_many(0, address, offset, step_bytes, int32(step_on), 0, int32(length), wrap)
                lane = take(lane, n, x)
                n = int32(n + many)
                turns = int32(turns - many)
            while turns >= few:
                x, address, offset = read_few(0, address, offset, step_bytes, int32(step_on), 0, int32(length), wrap)
                lane = take(lane, n, x)
                n = int32(n + few)
                turns = int32(turns - few)
            while turns > 0:
                x, address, offset = read_one(0, address, offset, step_bytes, int32(step_on), 0, int32(length), wrap)
                lane = take(lane, n, x)
                n = int32(n + 1)
                turns = int32(turns - 1)
            leave(parts, row, part, states, counts, answers, lane[0], n)
            job += np.int64(cuda.gridDim.x) * cuda.blockDim.x

    return thread


def finish_kernel(formula: Formula, accumulator: Format) -> Callable[..., None]:
    """One block a row merges the row's parts: thread t of T those of index t, t + T, ..., then the threads."""
    number = NUMBERS[accumulator.name]
    slots = WARPS * formula.fields
    empty = formula.empty(accumulator.dtype.type(0))
    none = int32(0)

    def finish(total, parts, states, counts, answers):  # type: ignore[no-untyped-def]
        exchange = cuda.shared.array(slots, number)
        exchange_counts = cuda.shared.array(WARPS, types.int32)
        team = np.int64(cuda.blockDim.x)
        row = np.int64(cuda.blockIdx.x)
        while row < total:
            state = empty
            n = none
            index = row * parts + cuda.threadIdx.x
            end = row * parts + parts
            while index + 3 * team < end:  # four parts are read before the first is merged
                a = pick_state(empty, states, index * len(empty))
                b = pick_state(empty, states, (index + team) * len(empty))
                c = pick_state(empty, states, (index + 2 * team) * len(empty))
                d = pick_state(empty, states, (index + 3 * team) * len(empty))
                na, nb = pick(none, counts, index), pick(none, counts, index + team)
                nc, nd = pick(none, counts, index + 2 * team), pick(none, counts, index + 3 * team)
                state, n = join(state, n, a, na), int32(n + na)
                state, n = join(state, n, b, nb), int32(n + nb)
                state, n = join(state, n, c, nc), int32(n + nc)
                state, n = join(state, n, d, nd), int32(n + nd)
                index += 4 * team
            while index < end:
                m = pick(none, counts, index)
                state = join(state, n, pick_state(empty, states, index * len(empty)), m)
                n = int32(n + m)
                index += team
            state, n = team_tree(state, n, team, exchange, exchange_counts)
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
    width, ahead = step_width("held", 4, storage), at_once("held", 4, storage)
    rounds = width // 4
    read_steps = reader(storage.name, number, width, ahead)
    read_step = reader(storage.name, number, width, 1)
    read_value = reader(storage.name, number, 1, 1)

    def held(  # type: ignore[no-untyped-def]
        data, rows, total, length, values, block_stride, segment_stride, row_stride, stride,
        vectors, parts, team, centres, states, counts, answers,
    ):  # fmt: skip
        memory = cuda.shared.array(capacity, number)
        exchange = cuda.shared.array(slots, number)
        exchange_counts = cuda.shared.array(WARPS, types.int32)
        whole = quotient(values, width)
        rest = int32(values - whole * width)
        segments_on = quotient(team * width, length)
        step_on = team * width - segments_on * length
        step_bytes = (segments_on * segment_stride + step_on * stride) * size
        next_bytes = stride * size
        wrap = (segment_stride - length * stride) * size
        step = np.int64(cuda.threadIdx.x)
        segment = quotient(step * width, length)
        offset_first = int32(step * width - segment * length)
        start_bytes = (segment * segment_stride + offset_first * stride) * size
        all_turns = int32(quotient(whole + team - 1 - step, team))
        last = step + all_turns * team == whole
        row = np.int64(cuda.blockIdx.x)
        while row < total:
            block = quotient(row, rows)
            base = data + (block * block_stride + (row - block * rows) * row_stride) * size
            by_vectors = vectors if base & 15 == 0 else 0
            address = base + start_bytes
            offset = offset_first
            at = step
            sums = fours(empty_first)
            n = int32(0)
            turns = all_turns
            while turns >= ahead:
                x, address, offset = read_steps(
                    by_vectors, address, offset, step_bytes, int32(step_on), next_bytes, int32(length), wrap
                )
                keep(memory, at, team, x)
                sums = take(sums, n, x)
                n = int32(n + ahead * rounds)
                at += ahead * width * team
                turns = int32(turns - ahead)
            while turns > 0:
                x, address, offset = read_step(
                    by_vectors, address, offset, step_bytes, int32(step_on), next_bytes, int32(length), wrap
                )
                keep(memory, at, team, x)
                sums = take(sums, n, x)
                n = int32(n + rounds)
                at += width * team
                turns = int32(turns - 1)
            full = n
            more = int32(0)
            end_address, end_offset = address, offset
            if last:
                for j in range(rest):
                    x, address, offset = read_value(
                        0, address, offset, next_bytes, int32(1), next_bytes, int32(length), wrap
                    )
                    sums = one_more(sums, n + j // 4, j % 4, x[0])
                n = int32(n + rest // 4)
                more = int32(rest % 4)
            total_sum = fold(sums, n, more)
            total_sum, count = team_tree(total_sum, int32(4 * n + more), team, exchange, exchange_counts)
            high, low = read(total_sum, max(count, 1))
            lane_states = fours(start(empty, shuffle(WARP, high, 0), shuffle(WARP, low, 0)))
            m = int32(0)
            at = step
            while m < full:
                lane_states = take(lane_states, m, kept(memory, at, team))
                m = int32(m + 1)
                at += 4 * team
            if last:  # a few values only: they come from memory again
                address, offset = end_address, end_offset
                for j in range(rest):
                    x, address, offset = read_value(
                        0, address, offset, next_bytes, int32(1), next_bytes, int32(length), wrap
                    )
                    lane_states = one_more(lane_states, full + j // 4, j % 4, x[0])
            state = fold(lane_states, n, more)
            state, count = team_tree(state, int32(4 * n + more), team, exchange, exchange_counts)
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
    if kernel.kind == "exact":
        return exact_kernel(kernel.storage)
    if kernel.kind == "held":
        return held_kernel(formula, kernel.storage, accumulator)
    return sweep_kernel(formula, kernel.storage, accumulator, kernel.kind, kernel.lanes)
