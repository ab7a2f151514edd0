"""Which values of an array go together, as views: any axes of any strides, nothing copied.

The sums do not depend on the values' order. So the axes that are reduced may be taken in any order and
direction: neighbours in memory are joined where the strides allow it, the two longest that are left become the
segments and the length of a view (blocks, segments, rows, length), and what is left then is looped over. The
axes that are kept are joined alike, and the answers are put back in the array's own order at the end.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.exceptions import AxisError
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

__all__ = ["Plan", "contiguous_view", "normalized"]


def normalized(axis: object, ndim: int) -> tuple[int, ...]:
    """The axes to reduce, from 0 up; all of them for None.

    Raises
    ------
    TypeError
        An axis is no integer, or several axes are not given as a tuple.
    numpy.exceptions.AxisError
        An axis is out of bounds.
    ValueError
        An axis is there twice.
    """
    if axis is None:
        return tuple(range(ndim))
    found = []
    for each in axis if isinstance(axis, tuple) else (axis,):
        if isinstance(each, (bool, np.bool_)):
            raise TypeError(f"axis={axis!r}: an integer is required, not a bool")
        number = operator.index(each)
        if not -ndim <= number < ndim:
            raise AxisError(number, ndim)
        found.append(number % ndim)
    if len(set(found)) < len(found):
        raise ValueError("duplicate value in 'axis'")
    return tuple(sorted(found))


def contiguous_view(array: NDArray[Any], axes: tuple[int, ...]) -> NDArray[Any] | None:
    """A contiguous array as a view (blocks, segments, rows, length) whose rows are in the array's own order.

    None where kept and reduced axes take turns too often for that, or a `Plan` finds fewer blocks.
    """
    sizes = [1]
    reduced = [True]  # from the last axis on: length, rows, segments, blocks
    for a in range(array.ndim - 1, -1, -1):
        if (a in axes) is not reduced[-1]:
            reduced.append(not reduced[-1])
            sizes.append(1)
        sizes[-1] *= array.shape[a]
    if len(sizes) > 4:
        return None
    shape = [1, 1, 1, *sizes[::-1]][-4:]
    return None if shape[0] > shape[2] else array.reshape(shape)  # many rows go faster than many blocks


@dataclass(slots=True)
class _Dimension:
    """Axes of one direction and one stride in every array, of `size` elements together."""

    size: int
    strides: tuple[int, ...]
    axes: tuple[int, ...]


def _merged(dimensions: list[_Dimension]) -> list[_Dimension]:
    """Neighbours joined where one steps on where the other ends, in every array."""
    done: list[_Dimension] = []
    for each in dimensions:
        if done and all(a == b * each.size for a, b in zip(done[-1].strides, each.strides, strict=True)):
            last = done.pop()
            done.append(_Dimension(last.size * each.size, each.strides, last.axes + each.axes))
        else:
            done.append(each)
    return done


def _by_stride(dimension: _Dimension) -> tuple[int, ...]:
    return tuple(-abs(stride) for stride in dimension.strides)


def _two_longest(dimensions: list[_Dimension]) -> tuple[list[_Dimension], list[_Dimension]]:
    """What is left over, and the two longest, in their order."""
    chosen = sorted(sorted(range(len(dimensions)), key=lambda i: dimensions[i].size)[-2:])
    rest = [each for i, each in enumerate(dimensions) if i not in chosen]
    return rest, [dimensions[i] for i in chosen]


class Plan:
    """How arrays of one shape are cut into views whose rows are the answers.

    Parameters
    ----------
    arrays : not empty in any axis, all of one shape: the values, and a mask if there is one.
    axes : the axes to reduce, from 0 up.
    ordered : keep the reduced axes in the array's order, for algorithms whose answer depends on it.

    Attributes
    ----------
    count : values that go into one answer.
    pieces : into how many views an answer's values are cut.
    """

    def __init__(self, arrays: Sequence[NDArray[Any]], axes: tuple[int, ...], *, ordered: bool = False) -> None:
        first = arrays[0]
        chosen = set(axes)
        if not ordered:
            flip = tuple(
                slice(None, None, -1 if a in chosen and stride < 0 else None) for a, stride in enumerate(first.strides)
            )
            arrays = [array[flip] for array in arrays]
        dimensions = [
            _Dimension(size, tuple(array.strides[a] for array in arrays), (a,))
            for a, size in enumerate(first.shape)
            if size != 1
        ]
        kept = _merged(sorted((each for each in dimensions if each.axes[0] not in chosen), key=_by_stride))
        reduced = [each for each in dimensions if each.axes[0] in chosen]
        reduced = _merged(reduced if ordered else sorted(reduced, key=_by_stride))
        self.count = math.prod(each.size for each in reduced)
        if ordered:
            outer, inner = reduced[:-2], reduced[-2:]
        else:
            outer, inner = _two_longest(reduced)
        around, rows = _two_longest(kept)
        rows.sort(key=lambda each: each.size)
        self.pieces = math.prod(each.size for each in outer)
        one = _Dimension(1, (0,) * len(arrays), ())
        block, row = ([one, one, *rows])[-2:]
        segment, length = ([one, one, *inner])[-2:]
        self._around = tuple(each.size for each in around)
        self._outer = tuple(each.size for each in outer)
        table = [*around, *outer, block, segment, row, length]
        shape = tuple(each.size for each in table)
        self._views = [
            as_strided(array, shape, tuple(each.strides[i] for each in table), writeable=False)
            for i, array in enumerate(arrays)
        ]
        self._shape = first.shape
        self._axes = [a for each in (*around, block, row) for a in each.axes]

    def __iter__(self) -> Iterator[Iterator[tuple[NDArray[Any], ...]]]:
        """For every part of the answers, the views (blocks, segments, rows, length) that make it up."""
        for kept in np.ndindex(self._around):
            yield (tuple(view[kept + inner] for view in self._views) for inner in np.ndindex(self._outer))

    def arranged(self, answers: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """One answer a row, in the views' order, as an array of a given shape in the array's own order."""
        by_axis = answers.reshape([self._shape[a] for a in self._axes])
        return by_axis.transpose(np.argsort(self._axes)).reshape(shape)
