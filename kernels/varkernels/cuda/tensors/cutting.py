"""Which values of an array go together, as views (blocks, segments, rows, length) that the kernels take.

Axes that are reduced are taken in the order of memory and joined where one steps on where the next ends; two may be
left. Axes that are kept are joined in the array's own order; beyond two, each place of the others is a view of its own.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

from .describing import DeviceArray

__all__ = ["Cut", "cut", "rows_cut"]

MOST_VIEWS = 256


class _Axis(NamedTuple):
    """Joined axes: their size, the step in the array in bytes, and the step in the answers."""

    size: int
    step: int
    out: int


@dataclass(frozen=True, slots=True)
class Cut:
    """One view and where its answers go: row r of block b to first + b block_step + r row_step, in answers."""

    view: DeviceArray
    first: int
    block_step: int
    row_step: int

    @property
    def rows(self) -> int:
        """In all blocks."""
        return self.view.shape[0] * self.view.shape[2]


_ONE = _Axis(1, 0, 0)


def _joined(axes: list[_Axis], answers: bool) -> list[_Axis]:
    """Neighbours joined where the outer one's step is the inner one's end, in the answers too if these are kept."""
    done: list[_Axis] = []
    for each in axes:
        if each.size == 1:
            continue
        last = done[-1] if done else None
        if (
            last is not None
            and last.step == each.step * each.size
            and (not answers or last.out == each.out * each.size)
        ):
            done[-1] = _Axis(last.size * each.size, each.step, each.out)
        else:
            done.append(each)
    return done


def cut(array: DeviceArray, axes: tuple[int, ...]) -> list[Cut]:
    """The views of an array with values, reduced over some axes; the answers lie in the order of the axes that stay.

    Raises
    ------
    ValueError
        The strides do not allow it, or are no multiples of a value's width.
    """
    if any(step % array.itemsize for step in array.strides):
        raise ValueError(
            f"x has the strides {array.strides} bytes for values of {array.itemsize}: give a copy, whose values lie "
            "side by side"
        )
    kept = [a for a in range(array.ndim) if a not in axes]
    outs = [math.prod(array.shape[b] for b in kept[i + 1 :]) for i in range(len(kept))]
    stay = _joined([_Axis(array.shape[a], array.strides[a], out) for a, out in zip(kept, outs, strict=True)], True)
    gone = sorted((_Axis(array.shape[a], array.strides[a], 0) for a in axes), key=lambda each: -abs(each.step))
    gone = _joined(gone, False)
    # Rows side by side in memory are for neighbouring threads; else the longest axis has the rows.
    near = [i for i, each in enumerate(stay) if each.step == array.itemsize]
    by_size = sorted(range(len(stay)), key=lambda i: -stay[i].size)
    chosen = [*near[:1], *(i for i in by_size if i not in near[:1])]
    row, block = ([stay[i] for i in chosen[:2]] + [_ONE, _ONE])[:2]
    around = [stay[i] for i in sorted(chosen[2:])]
    views = math.prod(each.size for each in around)
    if len(gone) > 2 or views > MOST_VIEWS:
        raise ValueError(
            f"x has the shape {array.shape} and the strides {array.strides} bytes, which the kernels do not take over "
            f"axis={axes}: give a copy whose values lie side by side, such as x.contiguous() or "
            "cupy.ascontiguousarray(x)"
        )
    segment, length = [_ONE, _ONE, *gone][-2:]
    found = []
    for place in itertools.product(*[range(each.size) for each in around]):
        offset = sum(k * each.step for k, each in zip(place, around, strict=True))
        first = sum(k * each.out for k, each in zip(place, around, strict=True))
        view = array.seen(
            (block.size, segment.size, row.size, length.size),
            (block.step, segment.step, row.step, length.step),
            offset,
        )
        found.append(Cut(view, first, block.out, row.out))
    return found


def rows_cut(view: DeviceArray) -> Cut:
    """A view (segments, rows, length) or (blocks, segments, rows, length) as it is: its values in its own order.

    Raises
    ------
    ValueError
        Its rank is wrong, or its strides are no multiples of a value's width.
    """
    if view.ndim not in (3, 4):
        raise ValueError(
            f"view has shape {view.shape}: it must be (segments, rows, length), or (blocks, segments, rows, length)"
        )
    if view.ndim == 3:
        view = view.seen((1, *view.shape), (0, *view.strides))
    if any(step % view.itemsize for step in view.strides):
        raise ValueError(f"view has the strides {view.strides} bytes for values of {view.itemsize}: give a copy")
    return Cut(view, 0, view.shape[2], 1)
