"""The certified kernels' answers for an array's rows: any axes, strides, byte orders and real dtypes, with a mask or
without."""

from __future__ import annotations

from collections.abc import Iterator, MutableSet
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..certified.first import Asked, certified_rows
from ..certified.plain import PlainCall
from ..formats import FLOAT32, FLOAT64, FORMATS
from .axes import Plan, contiguous_view
from .inputs import FLOATS
from .sums import PIECE

__all__ = ["asked_of", "certified", "plain_call", "small_integers"]

# Integers up to this size are exact in float64.
_EXACT = 2**53
# Corrections up to this size take the shortest way.
_LARGEST = 2**52


@lru_cache(maxsize=256)
def asked_of(wants: tuple[str, ...], ratio: tuple[int, int], fmt: str, omit: bool = False) -> Asked:
    """What the certified kernels are asked for: some of "mean", "var", "std", with a correction as numerator and
    denominator, in the format of a name."""
    return Asked(wants, ratio, FORMATS[fmt], omit=omit)


def small_integers(x: NDArray[Any]) -> NDArray[np.float64] | None:
    """A small array of integers or bool in float64, where that is exact for certain; None for any other array."""
    if x.dtype.kind not in "iub" or x.size > PIECE:
        return None
    found: NDArray[np.float64] = x.astype(np.float64)
    # Below that, no square is above 2^106, and no value above 2^53.
    return found if x.dtype.itemsize < 8 or np.vdot(found, found) < 2.0**105 else None


@lru_cache(maxsize=512)
def plain_call(wants: tuple[str, ...], dtype: np.dtype[Any], correction: float) -> PlainCall | None:
    """What answers for a small array of a dtype; None for any other than the four floats of native byte order."""
    fmt = FLOATS.get(dtype)
    return None if fmt is None or abs(correction) > _LARGEST else PlainCall(wants, fmt, correction)


def _float_pieces(view: NDArray[Any], widened: bool) -> Iterator[tuple[slice, slice, NDArray[Any]]] | None:
    """Whole rows of a view (blocks, segments, rows, length) in native floats, in float64 where `widened`, a piece at a
    time; None where a row or an integer is too large."""
    blocks, segments, rows, length = view.shape
    n, dtype = segments * length, view.dtype
    if n > PIECE:
        return None
    if dtype.kind in "iu" and dtype.itemsize == 8 and (int(view.min()) < -_EXACT or int(view.max()) > _EXACT):
        return None
    kind = np.dtype(np.float64) if widened or dtype.kind in "biu" else dtype.newbyteorder("=")
    step = max(1, PIECE // n)

    def pieces() -> Iterator[tuple[slice, slice, NDArray[Any]]]:
        deep, wide = (step // rows, rows) if step >= rows else (1, step)
        for b in range(0, blocks, deep):
            for r in range(0, rows, wide):
                with np.errstate(invalid="ignore"):  # a signalling NaN
                    piece = view[b : b + deep, :, r : r + wide].astype(kind)
                yield slice(b, b + deep), slice(r, r + wide), piece

    return pieces()


def _of_view(
    view: NDArray[Any], mask: NDArray[np.bool_] | None, asked: Asked, notes: MutableSet[str]
) -> tuple[NDArray[Any], NDArray[np.int64] | None] | None:
    dtype = view.dtype
    widened = asked.format == FLOAT64 and dtype.itemsize < 8
    if dtype.kind not in "biu" and dtype.isnative and view.flags.aligned and not widened:
        return certified_rows(view, mask, FLOATS[dtype], asked, notes)
    pieces = _float_pieces(view, widened)
    if pieces is None:
        return None
    blocks, _, rows, _ = view.shape
    out = np.empty((len(asked.rows), blocks, rows), np.float64 if asked.double else np.float32)
    counts = None if mask is None else np.empty((blocks, rows), np.int64)
    for b, r, piece in pieces:
        part = None if mask is None else mask[b, :, r]
        found = certified_rows(piece, part, FLOATS[piece.dtype], asked, notes)
        if found is None:
            return None
        out[:, b, r] = found[0].reshape(len(out), *piece.shape[0::2])
        if counts is not None and found[1] is not None:
            counts[b, r] = found[1].reshape(piece.shape[0::2])
    return out.reshape(len(out), -1), None if counts is None else counts.reshape(-1)


def certified(
    array: NDArray[Any], where: NDArray[np.bool_] | None, axes: tuple[int, ...], asked: Asked, notes: MutableSet[str]
) -> tuple[list[NDArray[Any]], NDArray[np.int64] | None, Any] | None:
    """The wanted answers of each row in the format asked for, the rows' counts where there is a mask, and a function
    that arranges an answer a row in a shape; None where the exact sums have to answer."""
    if not array.size or (asked.format not in (FLOAT32, FLOAT64) and array.dtype.kind in "biu"):
        return None
    view = mask = None
    if array.flags.c_contiguous and (where is None or array.size <= PIECE):
        view = contiguous_view(array, axes)
        if view is not None and where is not None:
            mask = np.ascontiguousarray(where).reshape(view.shape)
    if view is not None:
        found = [_of_view(view, mask, asked, notes)]
        arrange: Any = _reshaped
    else:
        plan = Plan([array] if where is None else [array, where], axes)
        if plan.pieces > 1:
            return None
        found = [_of_view(piece, masks[0] if masks else None, asked, notes) for part in plan for piece, *masks in part]
        arrange = plan.arranged
    parts = [part for part in found if part is not None]
    if len(parts) < len(found):
        return None
    answers = np.concatenate([part[0] for part in parts], axis=1) if len(parts) > 1 else parts[0][0]
    counts = None if where is None else np.concatenate([part[1] for part in parts if part[1] is not None])
    dtype = asked.format.dtype
    return [answers[asked.rows[want]].astype(dtype, copy=False) for want in asked.wants], counts, arrange


def _reshaped(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    return values.reshape(shape)
