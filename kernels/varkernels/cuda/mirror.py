"""The device's orders replayed on the CPU, with the same verbs, in the same assignment of values to states.

Nothing of the PTX is used: a row's values are shared out as `plan.Sharing` says, each state takes its own, and the
states are merged as `schedules` merges them. Contraction is `contraction`'s. So the mirror and the executed PTX
are two independent ways to the same bits.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..formats import Format
from ..formulas import Formula
from ..inlining import inline
from ..jit import cached_njit
from ..row_moments import Moments
from ..verbs import merge, read, start, update
from .catalogue import get
from .contraction import contracted as contract
from .inputs import checked
from .launch_plan import Sharing, geometry_of, plan

__all__ = ["moments"]


@inline
def join(a, na, b, nb):  # type: ignore[no-untyped-def]
    """The state of both samples, either of which may be empty; compiled even where Numba simulates the device."""
    if nb == 0:
        return a
    if na == 0:
        return b
    return merge(a, na, b, nb)


@inline
def halve(states, counts, width):  # type: ignore[no-untyped-def]
    """Merge the first `width` states, a power of two, into the first: the upper half into the lower, over and over."""
    while width > 1:
        width >>= 1
        for i in range(width):
            states[i] = join(states[i], counts[i], states[i + width], counts[i + width])
            counts[i] += counts[i + width]


def replay(values, empty, centres, out, lanes, width, threads, parts):  # type: ignore[no-untyped-def]
    """values: (rows, n) in the accumulator's dtype; centres, out: (rows, 2) of the same."""
    rows, n = values.shape
    side = [empty] * lanes
    held = [0] * lanes
    states = [empty] * threads
    counts = [0] * threads
    warps = [empty] * 32
    warp_counts = [0] * 32
    merged = [empty] * 32
    merged_counts = [0] * 32
    for r in range(rows):
        begin = start(empty, centres[r, 0], centres[r, 1])
        for i in range(32):
            merged_counts[i] = 0
        for part in range(parts):
            for t in range(threads):
                for lane in range(lanes):
                    side[lane] = begin
                    held[lane] = 0
                k = (part * threads + t) * width
                while k < n:
                    for j in range(min(width, n - k)):
                        lane = j % lanes
                        held[lane] += 1
                        side[lane] = update(side[lane], held[lane], values[r, k + j])
                    k += parts * threads * width
                halve(side, held, lanes)
                states[t] = side[0]
                counts[t] = held[0]
            if threads > 1:
                for w in range(threads // 32):
                    for i in range(32):
                        warps[i] = states[32 * w + i]
                        warp_counts[i] = counts[32 * w + i]
                    halve(warps, warp_counts, 32)
                    states[w] = warps[0]
                    counts[w] = warp_counts[0]
                halve(states, counts, threads // 32)
            i = part % 32
            merged[i] = join(merged[i], merged_counts[i], states[0], counts[0])
            merged_counts[i] += counts[0]
        halve(merged, merged_counts, 32)
        mean, m2 = read(merged[0], merged_counts[0])
        out[r, 0] = mean
        out[r, 1] = m2


def alone(values, empty, centres, out, lanes, width, threads, parts):  # type: ignore[no-untyped-def]
    """The same for one thread a row, of a formula that may have no merge."""
    rows, n = values.shape
    for r in range(rows):
        state = start(empty, centres[r, 0], centres[r, 1])
        for k in range(n):
            state = update(state, k + 1, values[r, k])
        mean, m2 = read(state, n)
        out[r, 0] = mean
        out[r, 1] = m2


@cache
def _compiled(formula: Formula, accumulator: Format) -> tuple[Any, Any]:
    """The replay for one type of state, and the empty state."""
    empty = formula.empty(accumulator.dtype.type(0))
    name = f"mirror-{formula.state.__name__}-{accumulator}"
    return cached_njit(replay if formula.mergeable else alone, name), empty


def _sweep(values: NDArray[Any], formula: Formula, accumulator: Format, share: Sharing) -> NDArray[Any]:
    """What a formula reads of each row, after the sweep for its centre."""
    centres = np.zeros((len(values), 2), accumulator.dtype)
    if isinstance(formula.centre, Formula):
        centres = _sweep(values, formula.centre, accumulator, share)
    out = np.empty_like(centres)
    kernel, empty = _compiled(formula, accumulator)
    kernel(values, empty, centres, out, share.lanes, share.width, share.threads, share.parts)
    return out


def moments(view: ArrayLike, name: str, accumulator: object = None, *, contracted: bool = True) -> Moments:
    """The moments that the device's algorithm gives, computed on the CPU without the PTX: bit for bit, NaNs aside.

    Parameters and errors are those of `varkernels.cuda.run.moments`.
    """
    array, storage, fmt = checked(view, accumulator)
    algorithm = get(name)
    blocks, segments, rows, length = array.shape
    total, n = blocks * rows, segments * length
    answers = np.full((total, 2), np.nan, fmt.dtype)
    if total > 0 and n > 0:
        share = plan(geometry_of(array), algorithm, storage, fmt, contracted).share
        with np.errstate(all="ignore"):
            values = np.ascontiguousarray(array.transpose(0, 2, 1, 3).reshape(total, n).astype(fmt.dtype))
        formula = contract(algorithm.formula) if contracted else algorithm.formula
        answers = _sweep(values, formula, fmt, share)
    count = np.full(total, n, dtype=np.int64)
    return Moments(count, answers[:, 0].copy(), answers[:, 1].copy(), fmt)
