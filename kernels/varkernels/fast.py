"""The kernel that we recommend: blocked corrected two-pass in float64, each value read from memory once.

A block of 2048 values stays in the first-level cache for two passes, the second of which asks for the next block:

    c = (sum x) / n,    s = sum (x - c),    q = sum (x - c)^2,    mean = c + s / n,    M2 = q - s s / n

LANES sums side by side, all in float64, whatever the storage. The blocks' (count, mean, M2) are merged two by two as
a counter in binary carries (Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 2.1), each mean kept as
an unevaluated sum of two numbers, so that a large mean costs a merge nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from .algorithm import Algorithm
from .blocking import CARRIERS, TOGETHER, contiguous, gather, held, onward, rows_together
from .formats import FLOAT64, Format, format_of
from .formulas.bounding import Bound, Setting, bounded
from .formulas.corrected_two_pass import CORRECTED_TWO_PASS
from .formulas.cost import Cost
from .formulas.errorfree import fast_two_sum, two_sum
from .jit import cached_njit, inline
from .simd import LANES, load, prefetch, splat, total
from .smallfloat import decode
from .threads import WORTHWHILE, get_threads, run_all

__all__ = ["BLOCK", "FAST", "fast_joined", "fast_moments"]

# Values that are read twice from the first-level cache: 16 KiB of float64.
BLOCK = 2048


@inline
def _block(view, s, r, i, n, following):  # type: ignore[no-untyped-def]
    """(high, low, M2) of the n values from view[s, r, i] on; their mean is high + low. `following` values come next."""
    whole = n - n % LANES
    left, right = splat(0.0), splat(0.0)
    j = 0
    half = whole // 2
    while j + 2 * LANES <= whole:
        if j < following:
            prefetch(view, s, r, i + n + j // 2)
        left = left + load(view, s, r, i + j)
        right = right + load(view, s, r, i + j + LANES)
        j += 2 * LANES
    if j < whole:
        left = left + load(view, s, r, i + j)
    sum_x = total(left + right)
    for k in range(whole, n):
        sum_x += np.float64(decode(view[s, r, i + k]))
    c = sum_x / np.float64(n)
    centre = splat(c)
    left, right = splat(0.0), splat(0.0)
    left2, right2 = splat(0.0), splat(0.0)
    j = 0
    while j + 2 * LANES <= whole:
        if j < following:
            prefetch(view, s, r, i + n + half + j // 2)
        a = load(view, s, r, i + j) - centre
        b = load(view, s, r, i + j + LANES) - centre
        left = left + a
        right = right + b
        left2 = left2 + a * a
        right2 = right2 + b * b
        j += 2 * LANES
    if j < whole:
        a = load(view, s, r, i + j) - centre
        left = left + a
        left2 = left2 + a * a
    sum_d = total(left + right)
    sum_q = total(left2 + right2)
    for k in range(whole, n):
        d = np.float64(decode(view[s, r, i + k])) - c
        sum_d += d
        sum_q += d * d
    high, low = two_sum(c, sum_d / np.float64(n))
    m2 = sum_q - sum_d * sum_d / np.float64(n)
    return high, low, 0.0 if m2 < 0.0 else m2  # the difference of equal numbers may round below zero; M2 never is


@inline
def merge(na, a, b, nb):  # type: ignore[no-untyped-def]
    """(high, low, M2) of both samples, of na >= nb >= 1 values; high + low is the mean."""
    d = (b[0] - a[0]) + (b[1] - a[1])
    w = np.float64(nb) / np.float64(na + nb)
    high, low = two_sum(a[0], d * w)
    high, low = fast_two_sum(high, a[1] + low)
    return high, low, a[2] + b[2] + d * d * (np.float64(na) * w)


def _sweep(view, buffer, direct, ahead, together, out):  # type: ignore[no-untyped-def]
    """Rows of a view (segments, rows, length): out[r] = (high, low, M2)."""
    segments, rows, length = view.shape
    size = segments * length
    stack = np.empty((TOGETHER, 64, 3))
    counts = np.empty(64, np.int64)
    for first in range(0, rows, together):
        some = min(together, rows - first)
        depth = 0
        for begin in range(0, size, BLOCK):
            n = min(BLOCK, size - begin)
            s = begin // length
            i = begin - s * length
            here = direct and i + n <= length
            if not here:
                gather(view, first, some, begin, n, buffer, direct)
            for r in range(some):
                if here:
                    found = _block(view, s, first + r, i, n, n if ahead else min(length - i - n, n))
                else:
                    found = _block(buffer, 0, r, 0, n, 0)
                stack[r, depth, 0], stack[r, depth, 1], stack[r, depth, 2] = found
            counts[depth] = n
            depth += 1
            carry = begin // BLOCK + 1  # blocks so far: as many merges as it has trailing zeros
            while carry & 1 == 0 or (begin + n == size and depth > 1):
                depth -= 1
                for r in range(some):
                    a = (stack[r, depth - 1, 0], stack[r, depth - 1, 1], stack[r, depth - 1, 2])
                    b = (stack[r, depth, 0], stack[r, depth, 1], stack[r, depth, 2])
                    found = merge(counts[depth - 1], a, b, counts[depth])
                    stack[r, depth - 1, 0], stack[r, depth - 1, 1], stack[r, depth - 1, 2] = found
                counts[depth - 1] += counts[depth]
                carry >>= 1
        for r in range(some):
            out[first + r, 0], out[first + r, 1], out[first + r, 2] = stack[r, 0, 0], stack[r, 0, 1], stack[r, 0, 2]


@cache
def _kernel(storage: str) -> Any:
    array = types.Array(CARRIERS[storage][1], 3, "A", readonly=True)
    buffer = types.Array(CARRIERS[storage][1], 3, "A")
    signature = (array, buffer, types.boolean, types.boolean, types.intp, types.Array(types.float64, 2, "C"))
    return cached_njit(_sweep, f"fast-{storage}").compile(signature)


def fast_moments(view: NDArray[Any], storage: Format) -> NDArray[np.float64]:
    """Moments of the rows of a view, in float64: corrected two-pass in blocks, whose moments are merged in a tree.

    Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 1.7 and 2.1.

    Parameters
    ----------
    view : array (segments, rows, length) of the storage's dtype, which is not checked, of any strides. It is not
        copied.
    storage : its format, in which its bits are read.

    Returns
    -------
    float64 array (rows, 3): high and low, whose sum is the mean, in the unit of the values, and M2, in its square.
    Rows without values have NaN for all three.

    Raises
    ------
    ValueError
        The view does not have three dimensions; or it has 2^21 values or more, and VARKERNELS_NUM_THREADS in the
        environment is no number of threads.
    """
    segments, rows, length = view.shape
    if view.size == 0:
        return np.full((rows, 3), np.nan)
    threads = get_threads() if view.size >= WORTHWHILE else 1
    if threads == 1 or (rows == 1 and segments > 1):
        return _rows(view, storage)
    if rows == 1:
        return _tree(view, storage, -(-length // (2 * threads)), threads)
    share = -(-rows // (2 * threads))
    groups = [view[:, r : r + share] for r in range(0, rows, share)]
    return np.concatenate(run_all(lambda group: _rows(group, storage), groups, threads))


def _rows(view: NDArray[Any], storage: Format) -> NDArray[np.float64]:
    carrier = CARRIERS[storage.name][0]
    together = rows_together(view)
    direct = contiguous(view) and together == 1
    buffer = held(together, BLOCK, carrier)
    out = np.empty((view.shape[1], 3))
    _kernel(storage.name)(view.view(carrier), buffer, direct, onward(view), together, out)
    return out


def _tree(view: NDArray[Any], storage: Format, small: int, threads: int) -> NDArray[np.float64]:
    """One long row, cut at the nodes of its own tree of blocks into parts of `small` values or less."""
    size = BLOCK << max((small // BLOCK).bit_length() - 1, 0)
    cuts = [view[:, :, begin : begin + size] for begin in range(0, view.shape[2], size)]
    stack: list[tuple[int, Any]] = []
    for carry, found in enumerate(run_all(lambda cut: _rows(cut, storage)[0], cuts, threads), 1):
        stack.append((cuts[carry - 1].size, found))
        last = carry == len(cuts)
        while len(stack) > 1 and (carry & 1 == 0 or last):  # as a counter in binary carries
            (na, a), (nb, b) = stack[-2:]
            with np.errstate(all="ignore"):
                stack[-2:] = [(na + nb, merge(na, a, b, nb))]
            carry >>= 1  # noqa: PLW2901
    return np.array([stack[0][1]])


def _fold(parts, n, places, state, counts, out):  # type: ignore[no-untyped-def]
    """The samples places[r, :], of n values each, merged in pairs of neighbours, then those pairs, and so on."""
    for r in range(places.shape[0]):
        left = places.shape[1]
        for j in range(left):
            k = places[r, j]
            state[j, 0], state[j, 1], state[j, 2] = parts[k, 0], parts[k, 1], parts[k, 2]
            counts[j] = n
        while left > 1:
            for j in range(left // 2):
                a = (state[2 * j, 0], state[2 * j, 1], state[2 * j, 2])
                b = (state[2 * j + 1, 0], state[2 * j + 1, 1], state[2 * j + 1, 2])
                found = merge(counts[2 * j], a, b, counts[2 * j + 1])
                state[j, 0], state[j, 1], state[j, 2] = found
                counts[j] = counts[2 * j] + counts[2 * j + 1]
            if left % 2 == 1:
                last = (state[left - 1, 0], state[left - 1, 1], state[left - 1, 2])
                state[left // 2, 0], state[left // 2, 1], state[left // 2, 2] = last
                counts[left // 2] = counts[left - 1]
            left = (left + 1) // 2
        out[r, 0], out[r, 1], out[r, 2] = state[0, 0], state[0, 1], state[0, 2]


@cache
def _folding() -> Any:
    table, long = types.Array(types.float64, 2, "C"), types.Array(types.int64, 1, "C")
    signature = (table, types.int64, types.Array(types.int64, 2, "C"), table, long, table)
    return cached_njit(_fold, "fold").compile(signature)


def fast_joined(parts: NDArray[np.float64], n: int, places: NDArray[np.int64]) -> NDArray[np.float64]:
    """The moments of the samples places[r, :] taken together, for every r, merged in pairs of neighbours.

    Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 2.1.

    Parameters
    ----------
    parts : C-contiguous float64 array (samples, 3), as `fast_moments` gives them.
    n : how many values each sample has.
    places : int64 array (rows, k) of indices into the samples, which are not checked.

    Returns
    -------
    float64 array (rows, 3), as from `fast_moments`: NaN where k or n is 0.
    """
    rows, k = places.shape
    if k == 0:
        return np.full((rows, 3), np.nan)
    out = np.empty((rows, 3))
    _folding()(parts, n, np.ascontiguousarray(places), np.empty((k, 3)), np.empty(k, np.int64), out)
    return out


def _run(
    view: NDArray[Any], centre: NDArray[np.float64] | None, accumulator: Format
) -> tuple[NDArray[Any], NDArray[Any]]:
    found = fast_moments(view, format_of(view.dtype))
    return found[:, 0], found[:, 2]


def bound(a: Setting) -> Bound:
    """Blocks by the corrected two-pass in float64, then merges of (count, mean, M2) with the means as pairs.

    In a block no value takes part in more than h additions; the squares of what the blocks' means c and means err by,
    weighted with their counts, add up over the blocks (e_c^2 and x^2), and so do S and Q. A merge's difference of means
    is known to 6 u of itself and 12 u^2 of the means.
    """
    per_block = min(a.n, BLOCK)
    h = np.ceil(per_block / (2 * LANES)) + np.log2(2 * LANES) + LANES
    first, second = a.phi(h + 1), a.phi(h + 3)
    tiny = 12 * a.u**2 * a.root_q
    c = first * a.root_q + np.sqrt(a.n) * a.eta1
    qc = a.s + c**2
    x = second * np.sqrt(qc) + np.sqrt(a.n) * a.eta1 + tiny
    square = (2 * c * first * np.sqrt(qc) + first**2 * qc) * (1 + a.phi(2)) + a.phi(2) * c**2
    off = (1 + a.u) * (second * qc + square) + a.u * a.s
    levels = (-(-int(a.n) // BLOCK) - 1).bit_length()
    squares = np.zeros_like(a.s)
    for _ in range(levels):
        squares = squares + (x + tiny) ** 2
        x = (1 + a.u) * (x * (1 + a.phi(6)) + a.phi(6) * a.root_s) + tiny + np.sqrt(a.n) * a.eta1
    off = off + 2 * a.root_s * np.sqrt(squares) + squares
    rounding = a.phi(8 + 2 * levels)
    m2 = off + rounding * (a.s + off) + (3 * a.n + 8) * a.eta2
    mean = x / np.sqrt(a.n)
    span = a.rows.spread + 2 * (x + c)
    ok = a.within(np.full_like(a.s, 2.0 * BLOCK), np.maximum(2 * span**2, a.s + m2))
    return bounded(mean + a.u * (a.rows.mean + mean), m2, ok)


FAST = Algorithm(
    name="fast",
    formula="fast",
    order="blocked2048",
    title="blocked corrected two-pass in float64",
    summary="The recommended kernel: each value read from memory once, corrected two-pass in cache, merges in a tree.",
    source="Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 1.7 and 2.1",
    run=_run,
    accumulators=(FLOAT64.name,),
    # The corrected two-pass formula, whose second sweep reads from cache; the state is (high, low, M2).
    cost=Cost(1, CORRECTED_TWO_PASS.cost.operations, CORRECTED_TWO_PASS.cost.divisions, 3),
    merges=True,
    bound=bound,
)
