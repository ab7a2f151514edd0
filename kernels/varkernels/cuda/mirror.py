"""The device's orders replayed on the CPU, with the same verbs, in the same assignment of values to states.

Nothing of the PTX is used, and nothing is compiled but the fma: a row's values are shared out as `launch_plan.Sharing`
says, each state takes its own, and the states are merged as `schedules` merges them. All states of all rows take their
steps at a time, as numpy arrays. Contraction is `contraction`'s. So the mirror and the executed PTX are two independent
ways to the same bits.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import vectorize
from numpy.typing import ArrayLike, NDArray

from .. import verbs  # noqa: F401 - where Numba learns the fma
from ..exact.algorithm import ExactMoments
from ..exact.table import exact_table
from ..formats import Format
from ..formulas import Formula
from ..formulas.errorfree import fma
from ..row_moments import Moments
from .catalogue import get
from .contraction import contracted as contract
from .inputs import checked
from .launch_plan import WARP, Sharing, geometry_of, plan

__all__ = ["moments"]

Counts = NDArray[np.int64]


class Numbers(np.ndarray[Any, np.dtype[Any]]):
    """An array of the accumulator's dtype whose fma rounds once."""

    def fma(self, b: Any, c: Any) -> Numbers:
        """self b + c."""
        fused: Numbers = _fused()(self, b, c)
        return fused


@cache
def _fused() -> Any:
    def fused(a, b, c):  # type: ignore[no-untyped-def]
        return fma(a, b, c)

    return vectorize(["float32(float32, float32, float32)", "float64(float64, float64, float64)"])(fused)


def _pick(condition: Any, state: Any, other: Any) -> Any:
    """The state where the condition holds, else the other."""
    return type(state)(*[np.where(condition, a, b).view(Numbers) for a, b in zip(state, other, strict=True)])


def _join(formula: Formula, a: Any, na: Counts, b: Any, nb: Counts) -> tuple[Any, Counts]:
    """The states and the counts of both samples, either of which may be empty."""
    if not nb.any():
        return a, na
    assert formula.merge is not None
    one_is_empty = (na == 0) | (nb == 0)
    if one_is_empty.all():
        return _pick(nb == 0, a, b), na + nb
    both = formula.merge(a, np.maximum(na, 1), b, np.maximum(nb, 1))
    return (_pick(one_is_empty, _pick(nb == 0, a, b), both) if one_is_empty.any() else both), na + nb


def _part(state: Any, counts: Counts, where: slice | int) -> tuple[Any, Counts]:
    return type(state)(*[field[..., where] for field in state]), counts[..., where]


def _halve(formula: Formula, state: Any, counts: Counts) -> tuple[Any, Counts]:
    """The states of the last axis, a power of two, merged into one: the upper half into the lower, over and over."""
    while (width := counts.shape[-1]) > 1:
        low, high = _part(state, counts, slice(width // 2)), _part(state, counts, slice(width // 2, None))
        state, counts = _join(formula, *low, *high)
    return _part(state, counts, 0)


def _team(formula: Formula, state: Any, counts: Counts) -> tuple[Any, Counts]:
    """The states of the last axis, a team's threads, merged into one: within warps, then the warps."""
    lanes = min(counts.shape[-1], WARP)
    warps = (*counts.shape[:-1], counts.shape[-1] // lanes, lanes)
    split = type(state)(*[field.reshape(*field.shape[:-1], *warps[-2:]) for field in state])
    return _halve(formula, *_halve(formula, split, counts.reshape(warps)))


def _reshape(state: Any, counts: Counts, *shape: int) -> tuple[Any, Counts]:
    """The states, (rows, states), and their counts in another shape (rows, ...)."""
    return type(state)(*[field.reshape(-1, *shape) for field in state]), counts.reshape(1, *shape)


def _tiled(formula: Formula, state: Any, taken: Any, held: Counts, share: Sharing) -> tuple[Any, Counts]:
    """The states after a thread's values, (rows, threads, values), of which `held` are there: tiles first, then
    samples of a few, then single values."""
    rows = taken.shape[0]
    counts = np.zeros_like(held)

    def sample(begin: Counts, size: int) -> Any:
        places = np.minimum(begin[:, np.newaxis] + np.arange(size), taken.shape[2] - 1)
        found = np.take_along_axis(taken, np.broadcast_to(places, (rows, *places.shape)), axis=2).view(Numbers)
        return tuple(found[:, :, j] for j in range(size))

    def joined(state: Any, counts: Counts, size: int, times: Counts) -> tuple[Any, Counts]:
        assert formula.tile is not None
        for turn in range(int(times.max(initial=0))):
            there = turn < times
            tile = formula.tile(state, sample(counts, size))
            after, more = _join(formula, state, counts, tile, np.where(there, size, 0))
            state, counts = _pick(there, after, state), more
        return state, counts

    state, counts = joined(state, counts, share.tile, held // share.tile)
    state, counts = joined(state, counts, share.few, (held - counts) // share.few)
    while (there := counts < held).any():
        (x,) = sample(counts, 1)
        counts = counts + there
        state = _pick(there, formula.update(state, np.maximum(counts, 1), x), state)
    return state, counts


def _replay(values: NDArray[Any], formula: Formula, empty: Any, centres: NDArray[Any], share: Sharing) -> Any:
    """What a formula reads of the values, (rows, n) in the accumulator's dtype: mean and M2 of each row."""
    rows, n = values.shape
    lanes, side, threads, parts = share.lanes, share.width // share.lanes, share.threads, share.parts
    turns = -(-n // (parts * threads * share.width))
    # Value k: turn, then part and thread, then its place in the step, whose lowest part is the lane.
    shape = (turns, parts * threads, side, lanes)
    padded = np.zeros((rows, int(np.prod(shape))), values.dtype)
    padded[:, :n] = values
    there = (np.arange(padded.shape[1]) < n).reshape(shape)
    state = empty if formula.start is None else formula.start(empty, *[centre[:, np.newaxis] for centre in centres.T])
    state = type(state)(*[np.broadcast_to(field, (rows, shape[1] * lanes)).view(Numbers) for field in state])
    if formula.tile is not None:
        taken = padded.reshape(rows, *shape).transpose(0, 2, 1, 3, 4).reshape(rows, shape[1], -1)
        state, counts = _tiled(formula, state, taken, there.sum(axis=(0, 2, 3)), share)
    else:
        taken = padded.reshape(rows, *shape).transpose(1, 3, 0, 2, 4).reshape(turns * side, rows, -1).view(Numbers)
        counts = np.zeros(shape[1] * lanes, np.int64)
        for x, holds in zip(taken, there.transpose(0, 2, 1, 3).reshape(turns * side, -1), strict=True):
            counts = counts + holds
            after = formula.update(state, np.maximum(counts, 1), x)
            state = after if holds.all() else _pick(holds, after, state)
    state, counts = _halve(formula, *_reshape(state, counts, parts, threads, lanes))
    state, counts = _team(formula, *_reshape(state, counts, parts, threads))
    # A team merges the parts: each of its threads takes every `merging`-th, one after the other.
    merging = share.merging
    merged, held = _part(state, counts, slice(merging))
    for first in range(merging, parts, merging):
        some, many = _part(state, counts, slice(first, first + merging))
        width = many.shape[-1]
        joined, both = _join(formula, *_part(merged, held, slice(width)), some, many)
        rest = _part(merged, held, slice(width, None))
        merged = type(merged)(*[np.concatenate(pair, axis=-1) for pair in zip(joined, rest[0], strict=True)])
        held = np.concatenate([both, rest[1]], axis=-1)
    spare = (1 << (held.shape[-1] - 1).bit_length()) - held.shape[-1]
    merged = type(merged)(*[np.pad(field, [(0, 0), (0, spare)]).view(Numbers) for field in merged])
    state, counts = _team(formula, merged, np.pad(held, [(0, 0), (0, spare)]))
    return np.stack([np.broadcast_to(number, rows) for number in formula.read(state, n)], axis=1)


def _sweep(values: NDArray[Any], formula: Formula, accumulator: Format, share: Sharing) -> NDArray[Any]:
    """What a formula reads of each row, after the sweep for its centre."""
    centres = np.zeros((len(values), 2), accumulator.dtype).view(Numbers)
    if isinstance(formula.centre, Formula):
        centres = _sweep(values, formula.centre, accumulator, share).view(Numbers)
    empty = formula.empty(np.zeros((len(values), 1), accumulator.dtype).view(Numbers))
    return np.asarray(_replay(values, formula, empty, centres, share))


def moments(view: ArrayLike, name: str, accumulator: object = None, *, contracted: bool = True) -> Moments:
    """The moments that the device's algorithm gives, computed on the CPU without the PTX: bit for bit, NaNs aside.

    Parameters and errors are those of `varkernels.cuda.run.moments`.
    """
    array, storage, fmt = checked(view, accumulator)
    algorithm = get(name)
    blocks, segments, rows, length = array.shape
    total, n = blocks * rows, segments * length
    answers = np.full((total, 2), np.nan, fmt.dtype)
    if total > 0 and n > 0 and algorithm.order == "exact":
        return ExactMoments.of(exact_table(array), fmt)
    if total > 0 and n > 0:
        share = plan(geometry_of(array), algorithm, storage, fmt, contracted).share
        formula = contract(algorithm.formula) if contracted else algorithm.formula
        with np.errstate(all="ignore"):
            values = np.ascontiguousarray(array.transpose(0, 2, 1, 3).reshape(total, n).astype(fmt.dtype))
            answers = _sweep(values, formula, fmt, share)
    count = np.full(total, n, dtype=np.int64)
    return Moments(count, answers[:, 0].copy(), answers[:, 1].copy(), fmt)
