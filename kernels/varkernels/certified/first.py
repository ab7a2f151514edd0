"""Certified answers for the rows of a view: by the kernel that suits its strides, then row by row what that leaves.

What no float64 arithmetic decides goes to the exact sums.
"""

from __future__ import annotations

import math
from collections.abc import MutableSet
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..blocking import CARRIERS, LANES
from ..exact import rounding_one
from ..exact.table import exact_table
from ..formats import FLOAT64, Format
from ..shipped import kernel as find
from ..threads import WORTHWHILE, get_threads, run_all
from . import terms
from .terms import BLOCK, CODES, CUT, GRIDDED, LONGEST, MEAN, SHORT, STD, VARIANCE, add_pairs, depths

__all__ = ["HAS_NAN", "WANTS", "Asked", "certified_rows", "column_kind", "completed", "kernel", "row_kind", "swept"]

# What can be asked for, and the number of its bit.
WANTS = {"mean": MEAN, "var": VARIANCE, "std": STD}
# What joins the notes where a NaN counts; none of numpy's warnings.
HAS_NAN = "nan"

_NOTES = {
    terms.OVERFLOW: rounding_one.OVERFLOW,
    terms.DEGREES: rounding_one.DEGREES,
    terms.EMPTY: rounding_one.EMPTY,
    terms.OPPOSITE: rounding_one.OPPOSITE,
    terms.INVALID: rounding_one.SUBTRACT,
}


@cache
def kernel(kind: str, storage: str) -> Any:
    """A compiled kernel, such as "long", by the name of the values' format."""
    return find(f"certified-{kind}-{storage}", "certified.kernels", kind, storage)


# Answers (as many as are wanted, rows), how many rows are undecided (with a NaN among their answers), notes.
Found = tuple[NDArray[Any], int, int]


class Asked:
    """What is asked of the rows: some of `WANTS`, a correction, and the format of the answers.

    rows : the row of each want in a table of answers, in the order of `WANTS`.
    """

    def __init__(self, wants: tuple[str, ...], ratio: tuple[int, int], fmt: Format, *, omit: bool = False) -> None:
        self.wants, self.ratio, self.format, self.omit = wants, ratio, fmt, omit
        self.rows = {want: row for row, want in enumerate(sorted(wants, key=WANTS.__getitem__))}
        self.bits = sum(1 << WANTS[want] for want in wants)
        self.code = CODES[fmt.name]
        self.double = fmt.precision == 53
        self.correction, self.rest = _pair(Fraction(*ratio))
        self.whole = ratio[1] == 1 and abs(ratio[0]) <= _EXACT

    def divisor(self, n: int) -> tuple[float, float]:
        """n - correction as a float64 and the rest."""
        return (n - self.correction, 0.0) if self.whole else _pair(n - Fraction(*self.ratio))


def _pair(exact: Fraction) -> tuple[float, float]:
    """A number as a float64 and the rest, rounded; infinite beyond their range."""
    try:
        above = float(exact)
    except OverflowError:
        return (math.inf if exact > 0 else -math.inf), 0.0
    return above, float(exact - Fraction(above))


def _answers(storage: Format, asked: Asked, rows: int) -> NDArray[Any]:
    return np.empty((len(asked.rows), rows), np.float64 if storage.precision == 53 else np.float32)


def row_kind(storage: Format, n: int, rows: int, length: int) -> str:
    """The kernel for rows of n values, of which `length` at a time lie next to each other."""
    if storage.precision != 53 or n < CUT:
        return "short" if length <= SHORT and rows >= LANES else "long"
    if length >= GRIDDED:
        return "gridded"
    return "gridded-short" if rows >= LANES else "long"


def column_kind(storage: Format, n: int) -> str:
    """The kernel for rows of n values that lie next to each other."""
    return "gridded-columns" if storage.precision == 53 and n >= CUT else "columns"


def swept(view: NDArray[Any], storage: Format, asked: Asked) -> Found | None:
    """The answers of a first pass over the rows of a view (blocks, segments, rows, length), how many rows it
    leaves undecided, and notes; None where no kernel takes the strides, or float64 is asked for of narrower values.

    The answers stand in rows (`Asked.rows`), in float32 for values of at most 24 bits, else in float64.
    """
    blocks, segments, rows, length = view.shape
    n = segments * length
    if n <= asked.correction or (asked.double and storage.precision != 53):
        return None
    _, segment_stride, row_stride, stride = view.strides
    size = view.itemsize
    if length > 1 and stride == size:
        kind, one_kind = row_kind(storage, n, rows, length), "long"
    elif row_stride == size and (rows > 1 or segment_stride == size):
        kind, one_kind = column_kind(storage, n), "columns"
        view = view.transpose(0, 1, 3, 2) if length > segments else view.transpose(0, 3, 1, 2)
    else:
        return None
    above, below = asked.divisor(n)
    name = storage.name
    if size == 2:
        view = view.view(CARRIERS[name])
    out = _answers(storage, asked, blocks * rows)
    left, notes = kernel(kind, name)(view, above, below, asked.bits, asked.code, out)
    if left > 0 and kind.startswith("gridded") and n > LONGEST:  # nothing but exact sums would take them
        left = 0
        for place in np.flatnonzero(np.isnan(out).any(axis=0)):
            b, r = divmod(int(place), rows)
            row = view[b : b + 1, :, r : r + 1] if one_kind == "long" else view[b : b + 1, ..., r : r + 1]
            one = _answers(storage, asked, 1)
            some, more = kernel(one_kind, name)(row, above, below, asked.bits, asked.code, one)
            out[:, place] = one[:, 0]
            left, notes = left + some, notes | more
    return None if left < 0 else (out, left, notes)


def _in_shares(view: NDArray[Any], storage: Format, asked: Asked, threads: int) -> Found | None:
    """`swept` by several threads, each of which takes whole rows."""
    share = -(-view.shape[2] // (2 * threads))
    starts = range(0, view.shape[2], share)
    parts = run_all(lambda start: swept(view[:, :, start : start + share], storage, asked), starts, threads)
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    notes = 0
    for part in found:
        notes |= part[2]
    return np.concatenate([part[0] for part in found], axis=1), sum(part[1] for part in found), notes


def _one_row(view: NDArray[Any], storage: Format, asked: Asked, threads: int) -> Found | None:
    """`swept` of one long row, by several threads: each sums parts of it about one shift."""
    if view.strides[3] != view.itemsize or (asked.double and storage.precision != 53):
        return None
    _, segments, _, length = view.shape
    n = segments * length
    above, below = asked.divisor(n)
    values = view.view(CARRIERS[storage.name])
    if above <= 0.0:
        return None
    pieces = max(1, min(threads, n // WORTHWHILE * 2))
    if segments >= pieces:
        share = -(-segments // pieces)
        parts = [values[:, s : s + share] for s in range(0, segments, share)]
    else:
        share = -(-length // pieces // BLOCK) * BLOCK
        parts = [values[..., i : i + share] for i in range(0, length, share)]
    out = _answers(storage, asked, 1)

    def together(kind: str, *given: Any) -> NDArray[np.float64]:
        def summed(part: NDArray[Any]) -> NDArray[np.float64]:
            sums = np.zeros((7, 1))
            kernel(kind, storage.name)(part, True, *given, sums)
            return sums

        total, *others = run_all(summed, parts, threads)
        with np.errstate(all="ignore"):
            for other in others:
                if storage.precision == 53:
                    total[1:3, 0] = add_pairs(*total[1:3, 0], *other[1:3, 0])
                    total[3:5, 0] = add_pairs(*total[3:5, 0], *other[3:5, 0])
                    total[5:] += other[5:]
                else:
                    total[1:3] += other[1:3]
        return total

    first = np.empty((7, 1))
    if storage.precision == 53 and length >= GRIDDED:
        kernel("gridded-sums", storage.name)(values, False, 0.0, 0.0, False, first)
        total = together("gridded-sums", first[0, 0], first[1, 0], "mean" in asked.wants)
        total[6] += len(parts)
        left, notes = kernel("gridded-decided", storage.name)(
            values, total, n, above, below, asked.bits, asked.code, out
        )
        if left <= 0:
            return None if left < 0 else (out, left, notes)
    kernel("sums", storage.name)(values[:, :1, :, :16], False, 0.0, first)
    total = together("sums", first[0, 0])
    k, m = depths(segments, length)
    left, notes = kernel("decided", storage.name)(
        values, total, n, k, m + len(parts), above, below, asked.bits, asked.code, out
    )
    return None if left < 0 else (out, left, notes)


def certified_rows(
    view: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    storage: Format,
    asked: Asked,
    notes: MutableSet[str],
) -> tuple[NDArray[Any], NDArray[np.int64] | None] | None:
    """The answers for every row of a view, each correctly rounded, and how many values count under a mask.

    Parameters
    ----------
    view : array (blocks, segments, rows, length) of the storage's dtype, of native byte order, aligned, not empty. It
        is copied where float64 is asked for of narrower values.
    mask : bool, of the view's shape: the values that count; None for all.
    storage : the format of the values.
    asked : what is asked for.
    notes : what there is to warn of joins them, and HAS_NAN.

    Returns
    -------
    The answers as `swept` gives them; and int64 counts, None without a mask. None where exact sums have to answer: rows
    are too long for what is asked, or arithmetic does not round to nearest.
    """
    if asked.double and storage.precision != 53:
        with np.errstate(invalid="ignore"):  # a signalling NaN
            view, storage = view.astype(np.float64), FLOAT64
    blocks, _, rows, _ = view.shape
    found = None
    if mask is None:
        threads = get_threads() if view.size >= WORTHWHILE else 1
        if threads > 1 and blocks == 1 and rows >= threads:
            found = _in_shares(view, storage, asked, threads)
        elif threads > 1 and blocks * rows == 1:
            found = _one_row(view, storage, asked, threads)
        else:
            found = swept(view, storage, asked)
    return completed(view, mask, storage, asked, found, notes)


def completed(
    view: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    storage: Format,
    asked: Asked,
    found: Found | None,
    notes: MutableSet[str],
) -> tuple[NDArray[Any], NDArray[np.int64] | None] | None:
    """What `certified_rows` answers, from what a first pass has found; None where there was none."""
    blocks, segments, rows, length = view.shape
    n = segments * length
    fresh = found is None
    if fresh and n > LONGEST:
        return None
    out, left, bits = found or (_answers(storage, asked, blocks * rows), blocks * rows, 0)
    counts = None
    bad = _NONE
    if fresh:
        bad = np.empty(left, np.int64)
    elif left:
        bad = np.flatnonzero(np.isnan(out).any(axis=0))
    if left and n <= LONGEST:
        counts = np.empty(blocks * rows, np.int64)
        some, more = kernel("gathered", storage.name)(
            view.view(CARRIERS[storage.name]) if view.itemsize == 2 else view,
            _EVERY if mask is None else mask,
            mask is not None,
            fresh,
            asked.omit,
            bad,
            asked.correction,
            asked.rest,
            asked.bits,
            asked.code,
            out,
            counts,
        )
        if some < 0:
            return None
        bits |= more
        bad = bad[:some]
    if bits:
        notes |= {text for bit, text in _NOTES.items() if bits & bit}
        if bits & terms.NAN:
            notes.add(HAS_NAN)
    if len(bad):
        _settle(view, mask, bad, asked, out, notes)
    return out, None if mask is None else counts


_NONE = np.zeros(0, np.int64)
_EVERY = np.ones((1, 1, 1, 1), dtype=np.bool_)


# Values of undecided rows that are copied at a time.
_COPIED = 1 << 20
# Integers up to this size are exact in float64, and so is their difference from a count.
_EXACT = 2**52


def _settle(
    view: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    bad: NDArray[np.int64],
    asked: Asked,
    out: NDArray[Any],
    notes: MutableSet[str],
) -> None:
    """The answers of the rows that no float64 arithmetic decides, from their exact sums."""
    _, segments, rows, length = view.shape
    together = max(1, _COPIED // (segments * length))
    for start in range(0, len(bad), together):
        some = bad[start : start + together]
        b, r = some // rows, some % rows
        if len(some) == 1:  # perhaps a long one, which is not copied
            values = view[b[0] : b[0] + 1, :, r[0] : r[0] + 1]
        else:
            values = np.ascontiguousarray(view[b, :, r].transpose(1, 0, 2)[np.newaxis])
        if mask is not None:
            under = mask[b, :, r].transpose(1, 0, 2)[np.newaxis]
            values = np.where(under, values, np.zeros((), values.dtype))
        sums = exact_table(values)
        if mask is not None:
            sums = sums.counted(under.sum(axis=(0, 1, 3), dtype=np.int64))
        if sums.special[:, 0].any():
            notes.add(HAS_NAN)
            if asked.omit:
                sums = sums.without_nan()
        for want in asked.wants:
            if want == "mean":
                found = sums.means(asked.format, notes)
            else:
                found = (sums.variances if want == "var" else sums.stds)(asked.ratio, asked.format, notes)
            out[asked.rows[want], some] = found
