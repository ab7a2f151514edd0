"""Euclidean norms as kernels compute them: in an order, with or without scaling, with a worst-case error.

A norm is the root of a sum of squares, so that its range is half of the format's: squares overflow above sqrt(largest),
and those of small values lose bits or become 0. ``running`` and ``pairwise`` sum the squares as they are. ``largest
first`` divides the row by a power of two next to its largest value, which rounds nothing, and sums pairwise. ``scaled``
is the one pass of the reference BLAS, which divides by the largest value so far (Lawson, Hanson, Kincaid, Krogh 1979,
doi:10.1145/355841.355847; Blue 1978, doi:10.1145/355769.355771 discusses its range).

With u the unit roundoff, t half the smallest subnormal number, phi(m) = (1 + u)^m - 1, and n values, the computed sum
errs by at most

    running, pairwise, largest first   phi(k + 1) s + 4 n t,    k = n additions, or 1 + log2 n for a pairwise sum
    scaled                             phi(4 n + 2) s + 8 n t

each for the s that it sums: of x^2, (x / 2^m)^2 or (x / largest)^2, and t times 1 + phi, as lost squares are summed
like others (Higham 2002, Accuracy and Stability of Numerical Algorithms, chapters 3 and 4). With e that error relative
to s, the norm errs by at most (1 - sqrt(1 - e)) (1 + u)^2 + 2 u, relative; nothing is known where e reaches 1 or s may
overflow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import in_default_arithmetic
from ..formats import FLOAT32, Format, format_of
from ..formulas.bounding import SLACK
from ..stats.inputs import array_of, result_format
from .pairs import Floats

__all__ = ["ORDERS", "OrderedNorms", "ordered_norms"]

ORDERS = ("running", "pairwise", "scaled", "largest first")


@dataclass(frozen=True, eq=False)
class OrderedNorms:
    """Norms of rows, in an order.

    Attributes
    ----------
    values : in the accumulator's dtype.
    bound : float64; the worst-case error of each, relative to the exact norm. Infinite where overflow or the loss of
        all squares is possible.
    """

    values: NDArray[Any]
    bound: Floats


def _rounded(fmt: Format, values: Any) -> Floats:
    found: Floats = fmt.rounded(np.asarray(values, np.float64)).astype(np.float64)
    return found


def _running(squares: Floats, fmt: Format) -> Floats:
    total = np.zeros(len(squares))
    for column in squares.T:
        total = _rounded(fmt, total + column)
    return total


def _pairwise(squares: Floats, fmt: Format) -> Floats:
    width = 1 << max(0, squares.shape[1] - 1).bit_length()
    table = np.zeros((len(squares), width))
    table[:, : squares.shape[1]] = squares
    while table.shape[1] > 1:
        table = _rounded(fmt, table[:, ::2] + table[:, 1::2])
    return table[:, 0]


def _scaled(values: Floats, fmt: Format) -> Floats:
    scale, total = np.zeros(len(values)), np.ones(len(values))
    for column in np.abs(values).T:
        larger = column > scale
        share = _rounded(fmt, np.where(larger, scale, column) / np.where(larger, column, scale))
        square = _rounded(fmt, share * share)
        moved = np.where(larger, _rounded(fmt, 1 + _rounded(fmt, total * square)), _rounded(fmt, total + square))
        total = np.where(column != 0, moved, total)
        scale = np.maximum(scale, column)
    return _rounded(fmt, scale * _rounded(fmt, np.sqrt(total)))


def _power_next_to(values: Floats) -> Floats:
    largest = np.abs(values).max(axis=1, initial=0)
    found: Floats = np.ldexp(1.0, np.where(largest > 0, np.frexp(largest)[1], 0))
    return found


def _bound(values: Floats, order: str, fmt: Format) -> Floats:
    """The worst-case relative error; sums in float64 are within what `SLACK` covers."""
    n, u, tiny = values.shape[1], float(fmt.unit_roundoff), float(fmt.smallest_subnormal) / 2
    unit = _power_next_to(values)
    if order == "scaled":
        unit = np.where(values.any(axis=1), np.abs(values).max(axis=1, initial=0), 1.0)
    if order in ("running", "pairwise"):
        unit = np.ones(len(values))
    parts = values / unit[:, None]
    s = (parts * parts).sum(axis=1) * SLACK
    steps = {"running": n + 1, "scaled": 4 * n + 2}.get(order, 2 + math.ceil(math.log2(max(1, n))))
    factor = math.expm1(steps * math.log1p(u))
    lost = (8 if order == "scaled" else 4) * n * tiny * (1 + factor)
    error = np.where(s > 0, (factor * s + lost) / np.where(s > 0, s / SLACK**2, 1), 0.0)
    able = (error < 1) & ((s * (1 + error)) <= float(fmt.largest))
    able &= np.sqrt(s) * unit * (1 + 4 * u) <= float(fmt.largest)
    share = np.where(able, error, 0.0)
    low = np.sqrt(s) * unit >= 2 * float(fmt.smallest_normal)  # beneath, the last rounding is no relative one
    found: Floats = np.where(able & (low | (s == 0)), (1 - np.sqrt(1 - share)) * (1 + u) ** 2 + 2 * u, np.inf) * SLACK
    return np.where(s == 0, 0.0, found)


@in_default_arithmetic
def ordered_norms(v: Any, *, order: str = "running", accumulator: Any = "float32") -> OrderedNorms:
    """The Euclidean norm of each row of a table, in a given order.

    Parameters
    ----------
    v : array (rows, values) in float16, bfloat16 or float32.
    order : ``running``, ``pairwise``, ``scaled`` or ``largest first``.
    accumulator : the format of every operation: float16, bfloat16 or float32, which must hold v.

    Raises
    ------
    TypeError
        A dtype is not taken.
    ValueError
        The order is unknown, v is no table, or the accumulator does not serve v.

    Examples
    --------
    >>> import numpy as np
    >>> from varkernels.norms.vector_norms import ORDERS, ordered_norms
    >>> v = np.float32([[3e-30, 4e-30], [3e30, 4e30]])
    >>> {order: ordered_norms(v, order=order).values.tolist() for order in ("running", "largest first")}
    {'running': [0.0, inf], 'largest first': [5.000000015855384e-30, 4.9999999241216036e+30]}
    """
    if order not in ORDERS:
        raise ValueError(f"order={order!r} is unknown: use one of {', '.join(ORDERS)}")
    array, fmt = array_of(v), format_of(accumulator)
    given = result_format(array.dtype, None)
    if array.ndim != 2:
        raise ValueError(f"v has the shape {array.shape}: give a table, (rows, values)")
    if fmt.precision > FLOAT32.precision or given.largest > fmt.largest or given.precision > fmt.precision:
        raise ValueError(f"v is {given} and the accumulator {fmt}: give a format up to float32 that holds v")
    values = array.astype(np.float64)
    with np.errstate(all="ignore"):
        if order == "scaled":
            found = _scaled(values, fmt)
        else:
            unit = _power_next_to(values)[:, None] if order == "largest first" else np.ones((len(values), 1))
            parts = _rounded(fmt, values / unit)
            squares = _rounded(fmt, parts * parts)
            total = _running(squares, fmt) if order == "running" else _pairwise(squares, fmt)
            found = _rounded(fmt, _rounded(fmt, np.sqrt(total)) * unit[:, 0])
        bound = _bound(values, order, fmt)
    return OrderedNorms(fmt.rounded(found), bound)
