"""Certified answers for the rows of a view: by the kernel that suits its strides, then row by row what that leaves.

What no float64 arithmetic decides goes to the exact sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, MutableSet
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from ..blocking import CARRIERS
from ..exact import rounding_one
from ..exact.table import exact_table
from ..formats import FORMATS, Format
from ..jit import cached_njit
from ..threads import WORTHWHILE, get_threads, run_all
from . import gathered
from .deciding import MEAN, OVERFLOW, STD, VARIANCE, format_numbers
from .gathered import LONGEST, gathered_rows
from .states import add_pairs
from .sweeps import BLOCK, SHORT, columns, decided, depths, long_rows, short_rows, single, sums_of_row

__all__ = ["HAS_NAN", "ROWS", "Asked", "certified_rows", "one_answer", "swept"]

# What can be asked for, and its row in the table of answers; 1 << row is its bit.
ROWS = {"mean": MEAN, "var": VARIANCE, "std": STD}
# What joins the notes where a NaN counts; none of numpy's warnings.
HAS_NAN = "nan"

_NOTES = {
    OVERFLOW: rounding_one.OVERFLOW,
    gathered.DEGREES: rounding_one.DEGREES,
    gathered.EMPTY: rounding_one.EMPTY,
    gathered.OPPOSITE: rounding_one.OPPOSITE,
    gathered.INVALID: rounding_one.SUBTRACT,
}
_NUMBERS = types.Tuple((types.int64, types.float64, types.float64, types.float64))
_LIST, _TABLE = types.Array(types.int64, 1, "C"), types.Array(types.float64, 2, "C")

_MASK = types.Array(types.boolean, 4, "A", readonly=True)
_REAL, _WHOLE, _FLAG = types.float64, types.int64, types.boolean
_ANSWERS = (_WHOLE, _NUMBERS, _TABLE)
_PASS = (_WHOLE, _REAL, _REAL, *_ANSWERS, _LIST)
# The kernels, and what they take after a view of four dimensions, or one for "single".
_KERNELS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "long": (long_rows, _PASS),
    "short": (short_rows, _PASS),
    "columns": (columns, _PASS),
    "single": (single, (_REAL, _WHOLE, _NUMBERS)),
    "sums": (sums_of_row, (_FLAG, _REAL, _TABLE)),
    "decided": (decided, (_TABLE, _WHOLE, _WHOLE, _WHOLE, _REAL, _REAL, *_ANSWERS)),
    "gathered": (gathered_rows, (_MASK, _FLAG, _FLAG, _LIST, _REAL, _REAL, *_ANSWERS, _LIST, _LIST)),
}


@cache
def _kernel(kind: str, storage: str) -> Any:
    function, others = _KERNELS[kind]
    value = CARRIERS[storage][1]
    view = types.Array(value, 1, "C", readonly=True) if kind == "single" else types.Array(value, 4, "A", readonly=True)
    return cached_njit(function, f"certified-{kind}-{storage}").compile((view, *others))


# Answers (3, rows), the undecided rows, notes.
Found = tuple[NDArray[np.float64], NDArray[np.int64], int]


class Asked:
    """What is asked of the rows: some of `ROWS`, a correction, and the format of the answers."""

    def __init__(self, wants: tuple[str, ...], ratio: tuple[int, int], fmt: Format, *, omit: bool = False) -> None:
        self.wants, self.ratio, self.format, self.omit = wants, ratio, fmt, omit
        self.bits = 0
        for want in wants:
            self.bits |= 1 << ROWS[want]
        self.numbers = format_numbers(fmt)
        self.correction, self.rest = _pair(Fraction(*ratio))

    def divisor(self, n: int) -> tuple[float, float]:
        """n - correction as a float64 and the rest."""
        p, q = self.ratio
        return (float(n - p), 0.0) if q == 1 and abs(p) <= _EXACT else _pair(n - Fraction(p, q))


def _pair(exact: Fraction) -> tuple[float, float]:
    """A number as a float64 and the rest, rounded; infinite beyond their range."""
    try:
        above = float(exact)
    except OverflowError:
        return (math.inf if exact > 0 else -math.inf), 0.0
    return above, float(exact - Fraction(above))


def _run(kind: str, view: NDArray[Any], storage: Format, n: int, asked: Asked, room: Any) -> Found:
    out, bad = room
    name = storage.name
    above, below = asked.divisor(n)
    if view.itemsize == 2:
        view = view.view(CARRIERS[name][0])
    left, notes = _kernel(kind, name)(view, n, above, below, asked.bits, asked.numbers, out, bad)
    return out, bad[:left] if left else _NONE, notes


_NONE = np.zeros(0, np.int64)


def one_answer(x: NDArray[Any], storage: Format, want: int, correction: float) -> float:
    """One answer (a row of `ROWS`) in their own format for the values of a C-contiguous array of one dimension; NaN
    where it is not decided at once, or there is anything to warn of."""
    name = storage.name
    kernel, numbers = _single(name)
    if x.itemsize == 2:
        x = x.view(CARRIERS[name][0])
    value: float = kernel(x, correction, want, numbers)
    return value


@cache
def _single(storage: str) -> tuple[Any, tuple[int, float, float, float]]:
    return _kernel("single", storage), format_numbers(FORMATS[storage])


def swept(view: NDArray[Any], storage: Format, asked: Asked) -> Found | None:
    """The answers (3, rows) of a first pass over the rows of a view (blocks, segments, rows, length), the rows that it
    leaves undecided, and notes; None where no kernel takes the strides, or float64 is asked for of narrower values.
    """
    blocks, segments, rows, length = view.shape
    n = segments * length
    if n <= asked.correction or (asked.format.precision == 53 and storage.precision != 53):
        return None
    _, segment_stride, row_stride, stride = view.strides
    size = view.itemsize
    if length > 1 and stride == size:
        kind = "short" if length <= SHORT and rows >= 8 else "long"
    elif row_stride == size and (rows > 1 or segment_stride == size):
        kind = "columns"
        view = view.transpose(0, 1, 3, 2) if length > segments else view.transpose(0, 3, 1, 2)
    else:
        return None
    return _run(kind, view, storage, n, asked, (np.empty((3, blocks * rows)), np.empty(blocks * rows, np.int64)))


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
    bad = [part[1] + start for start, part in zip(starts, found, strict=True)]
    return np.concatenate([part[0] for part in found], axis=1), np.concatenate(bad), notes


def _one_row(view: NDArray[Any], storage: Format, asked: Asked, threads: int) -> Found | None:
    """`swept` of one long row, by several threads: each sums parts of it about one shift."""
    if view.strides[3] != view.itemsize or (asked.format.precision == 53 and storage.precision != 53):
        return None
    _, segments, _, length = view.shape
    n = segments * length
    above, below = asked.divisor(n)
    values = view.view(CARRIERS[storage.name][0])
    if above <= 0.0:
        return None
    first = np.empty((5, 1))
    _kernel("sums", storage.name)(values[:, :1, :, :16], False, 0.0, first)
    pieces = max(1, min(threads, n // WORTHWHILE * 2))
    if segments >= pieces:
        share = -(-segments // pieces)
        parts = [values[:, s : s + share] for s in range(0, segments, share)]
    else:
        share = -(-length // pieces // BLOCK) * BLOCK
        parts = [values[..., i : i + share] for i in range(0, length, share)]

    def summed(part: NDArray[Any]) -> NDArray[np.float64]:
        sums = np.empty((5, 1))
        _kernel("sums", storage.name)(part, True, first[0, 0], sums)
        return sums

    total, *others = run_all(summed, parts, threads)
    with np.errstate(all="ignore"):
        for other in others:
            if storage.precision == 53:
                total[1:3, 0] = add_pairs(*total[1:3, 0], *other[1:3, 0])
                total[3:5, 0] = add_pairs(*total[3:5, 0], *other[3:5, 0])
            else:
                total[1:3] += other[1:3]
    k, m = depths(segments, length)
    out = np.empty((3, 1))
    certain, notes = _kernel("decided", storage.name)(
        values, total, n, k, m + len(parts), above, below, asked.bits, asked.numbers, out
    )
    return out, np.zeros(0 if certain else 1, np.int64), notes


def certified_rows(
    view: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    storage: Format,
    asked: Asked,
    notes: MutableSet[str],
) -> tuple[NDArray[np.float64], NDArray[np.int64] | None] | None:
    """The answers for every row of a view, each correctly rounded, and how many values count under a mask.

    Parameters
    ----------
    view : array (blocks, segments, rows, length) of the storage's dtype, of native byte order, aligned, not empty.
    mask : bool, of the view's shape: the values that count; None for all.
    storage : the format of the values.
    asked : what is asked for.
    notes : what there is to warn of joins them, and HAS_NAN.

    Returns
    -------
    float64 (3, rows), of which the wanted ones are set (`ROWS`); and int64 counts, None without a mask. None where rows
    are too long for what is asked: exact sums then answer.
    """
    blocks, segments, rows, length = view.shape
    n = segments * length
    found = None
    if mask is None:
        threads = get_threads() if view.size >= WORTHWHILE else 1
        if threads > 1 and blocks == 1 and rows >= threads:
            found = _in_shares(view, storage, asked, threads)
        elif threads > 1 and blocks * rows == 1:
            found = _one_row(view, storage, asked, threads)
        else:
            found = swept(view, storage, asked)
    if found is None:
        if n > LONGEST:
            return None
        found = np.empty((3, blocks * rows)), np.arange(blocks * rows), 0
    out, bad, bits = found
    counts = None
    if len(bad) and n <= LONGEST:
        counts = np.empty(blocks * rows, np.int64)
        left = np.empty(len(bad), np.int64)
        some, more = _kernel("gathered", storage.name)(
            view.view(CARRIERS[storage.name][0]),
            _EVERY if mask is None else mask,
            mask is not None,
            asked.omit,
            bad,
            asked.correction,
            asked.rest,
            asked.bits,
            asked.numbers,
            out,
            counts,
            left,
        )
        bits |= more
        bad = left[:some]
    if bits:
        notes |= {text for bit, text in _NOTES.items() if bits & bit}
        if bits & gathered.NAN:
            notes.add(HAS_NAN)
    if len(bad):
        _settle(view, mask, bad, asked, out, notes)
    return out, None if mask is None else counts


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
    out: NDArray[np.float64],
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
            out[ROWS[want], some] = found
