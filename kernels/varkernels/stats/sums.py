"""The exact sums of any real array, masked or not: floats as they lie, everything else piece by piece.

The kernels read the four floating-point formats. Integers go through floats that hold them exactly: float32 up
to 16 bits, float64 up to 53; wider ones as x = 2^32 h + l with 0 <= l < 2^32, where the sums of h, l and h + l
give, exactly,

    sum x   = 2^32 sum h + sum l,
    sum x^2 = 2^64 sum h^2 + 2^32 (sum (h + l)^2 - sum h^2 - sum l^2) + sum l^2.

Only such pieces are copied, at most `PIECE` values at a time, and so are values under a mask or in another
byte order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exact.sums import ExactSums, integer_sums
from ..exact.table import SumTable, exact_table
from .axes import Plan, contiguous_view

__all__ = ["PIECE", "Arrange", "RowAnswers", "reshaped", "row_sums"]

# Values that are converted at a time: 1 MiB of float64.
PIECE = 2**17

_SPLIT = 32
# Values that a count holds, with room for its rounding and for a sum of two.
_MOST = 2.0**62
# From an answer a row to an array of a shape.
Arrange = Callable[[NDArray[Any], tuple[int, ...]], NDArray[Any]]
# The answers of all rows, the rows' counts (where someone asks for them) and how they are arranged.
RowAnswers = tuple[list[NDArray[Any]], "NDArray[np.int64] | None", Arrange]
# Integers up to this size are exact in float64.
_EXACT = 2**53


def _cut(view: NDArray[Any]) -> Iterator[tuple[int, tuple[slice, slice, slice]]]:
    """Slices of a view (segments, rows, length) into pieces, each with its first row."""
    segments, rows, length = view.shape
    together = min(rows, 64) if abs(view.strides[1]) < abs(view.strides[2]) else 1
    step = min(length, max(1, PIECE // together))
    deep = min(segments, max(1, PIECE // (step * together)))
    wide = max(1, PIECE // (step * deep))
    for r in range(0, rows, wide):
        for s in range(0, segments, deep):
            for i in range(0, length, step):
                yield r, (slice(s, s + deep), slice(r, r + wide), slice(i, i + step))


def _wide_integers(piece: NDArray[Any]) -> SumTable:
    if int(piece.min()) >= -_EXACT and int(piece.max()) <= _EXACT:
        return exact_table(piece.astype(np.float64))
    kind = piece.dtype.type
    high = (piece >> kind(_SPLIT)).astype(np.float64)
    low = (piece & kind(0xFFFFFFFF)).astype(np.float64)
    answers: list[ExactSums] = []
    for a, b, both in zip(exact_table(high), exact_table(low), exact_table(high + low), strict=True):
        a2, b2 = a.s2 << 2 * a.exponent, b.s2 << 2 * b.exponent
        twice = (both.s2 << 2 * both.exponent) - a2 - b2
        s1 = (a.s1 << a.exponent + _SPLIT) + (b.s1 << b.exponent)
        s2 = (a2 << 2 * _SPLIT) + (twice << _SPLIT) + b2
        answers.append(integer_sums(a.count, [0, 0, 0], s1, s2, 0))
    return SumTable.of(answers)


def _converted(piece: NDArray[Any]) -> SumTable:
    """The sums of a small piece (segments, rows, length) of any real dtype."""
    dtype = piece.dtype
    if dtype.kind not in "biu":
        return exact_table(piece.astype(dtype.newbyteorder("="), copy=not (dtype.isnative and piece.flags.aligned)))
    if dtype.kind != "b" and dtype.itemsize == 8:
        return _wide_integers(piece.astype(dtype.newbyteorder("="), copy=False))
    return exact_table(piece.astype(np.float32 if dtype.itemsize <= 2 else np.float64))


def _masked(piece: NDArray[Any], mask: NDArray[np.bool_]) -> SumTable:
    """The sums of the values under a mask: the others are 0, and are not counted."""
    values = piece.copy(order="K")
    np.copyto(values, np.zeros((), dtype=values.dtype), where=~mask)
    return _converted(values).counted(mask.sum(axis=(0, 2), dtype=np.int64))


def _by_pieces(view: NDArray[Any], mask: NDArray[np.bool_] | None) -> SumTable:
    parts: list[list[SumTable]] = []  # of neighbouring rows, the pieces that they are cut into
    last = None
    for b, block in enumerate(view):
        for first, cut in _cut(block):
            found = _converted(block[cut]) if mask is None else _masked(block[cut], mask[b][cut])
            if (b, first) != last:
                parts.append([])
                last = (b, first)
            parts[-1].append(found)
    return SumTable.stacked([SumTable.together(part) for part in parts])


def _weighted(array: NDArray[Any], weights: NDArray[Any], axes: tuple[int, ...]) -> tuple[SumTable, Arrange]:
    """The sums with every value as often as its weight says: by Horner's rule over the bits of the weights."""
    if weights.sum(axis=axes, dtype=np.float64).max() > _MOST:
        raise ValueError("weights add up to more than 2^62 values, which a count does not hold")
    kind = weights.dtype.type
    bits = range(max(int(weights.max()).bit_length(), 1))
    found, arrange = row_sums(array, weights >> kind(bits[-1]) != 0, axes)
    for bit in bits[-2::-1] if len(bits) > 1 else ():
        part, _ = row_sums(array, weights >> kind(bit) & kind(1) != 0, axes)
        found = SumTable.together([found, found, part])
    return found, arrange


def reshaped(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """How answers are arranged that are in the array's order."""
    return values.reshape(shape)


def row_sums(
    array: NDArray[Any],
    where: NDArray[np.bool_] | None,
    axes: tuple[int, ...],
    weights: NDArray[Any] | None = None,
) -> tuple[SumTable, Arrange]:
    """The exact sums of an array over some axes, and a function that arranges an answer a row in a shape.

    Parameters
    ----------
    array : real, of any shape and strides.
    where : None, or bool of the array's shape: the values that count.
    axes : the axes to reduce, from 0 up.
    weights : None, or integers >= 0 of the array's shape: how often each value is there.

    Raises
    ------
    ValueError
        A row's weights add up to more than counts can hold.
    """
    if not array.size:
        kept = [size for a, size in enumerate(array.shape) if a not in axes]
        return SumTable(np.zeros(int(np.prod(kept)), dtype=np.int64)), lambda answers, shape: answers.reshape(shape)
    if weights is not None:
        return _weighted(array, weights if where is None else weights * where, axes)
    direct = where is None and array.dtype.kind not in "biu" and array.dtype.isnative and array.flags.aligned
    if direct and array.flags.c_contiguous:
        view = contiguous_view(array, axes)
        if view is not None:
            return exact_table(view), lambda answers, shape: answers.reshape(shape)
    plan = Plan([array] if where is None else [array, where], axes)
    tables = [
        SumTable.together(
            [exact_table(view) if direct else _by_pieces(view, mask[0] if mask else None) for view, *mask in part]
        )
        for part in plan
    ]
    return SumTable.stacked(tables), plan.arranged
