"""Local response normalisation as kernels sum its windows: in an order, in an accumulator, with a worst-case error.

``direct`` adds the squares of each window afresh, from its first channel to its last, and computes k + c s at the
end. ``sliding`` keeps v = k + c s from channel to channel: it adds the term c x^2 that enters and subtracts the one
that leaves, as the CPU code of Caffe does (src/caffe/layers/lrn_layer.cpp:143 at commit 9b891540183d) and, in the other
order, that of Darknet (src/normalization_layer.c at commit 61c9d02ec461). Bits of v that a large term rounds away
stay lost when it leaves.

Every operation rounds once to the accumulator, k and c too; the power alone is computed in float64, so that the error
is the sum's. In the notation of `varkernels.norms.ordered`, phi(m) = (1 + u)^m - 1, and with windows of w channels

    direct     |v^ - v| <= phi(w + 3) (k + c s)
    sliding    |v^ - v| <= phi(m + 3) (k + c (all squares that entered + all that left)),  m additions so far

(Higham 2002, Accuracy and Stability of Numerical Algorithms, sections 3.1 and 4.2). With d = |v^ - v| / v, y errs by at
most ((1 - d)^-beta (1 + 2u) - 1) |y|.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import in_default_arithmetic
from ..formats import FLOAT32, Format, format_of
from ..formulas.bounding import SLACK
from ..stats.inputs import array_of, result_format
from .pairs import Floats
from .response import Response, response_of

__all__ = ["ORDERS", "OrderedResponse", "ordered_response"]

ORDERS = ("direct", "sliding")


@dataclass(frozen=True, eq=False)
class OrderedResponse:
    """Outputs in an order.

    Attributes
    ----------
    y : in the accumulator's dtype. v : k + c s as the order has it, in the accumulator's dtype.
    bound : float64; the worst-case absolute error of each y. Infinite where the error of v may be v or more, or an
        overflow is possible.
    """

    y: NDArray[Any]
    v: NDArray[Any]
    bound: Floats


def _rounded(fmt: Format, values: Any) -> Floats:
    found: Floats = fmt.rounded(np.asarray(values, np.float64)).astype(np.float64)
    return found


def _direct(squares: Floats, response: Response, fmt: Format) -> Floats:
    """v as the order has it."""
    k, c = (_rounded(fmt, float(each)) for each in (response.k, response.factor))
    v = np.empty_like(squares)
    for channel in range(squares.shape[-1]):
        total = np.zeros_like(squares[..., 0])
        for other in range(*response.window(channel, squares.shape[-1])):
            total = _rounded(fmt, total + squares[..., other])
        v[..., channel] = _rounded(fmt, k + _rounded(fmt, c * total))
    return v


def _sliding(squares: Floats, response: Response, fmt: Format) -> Floats:
    """v as the order has it."""
    k, c = (_rounded(fmt, float(each)) for each in (response.k, response.factor))
    terms, v = _rounded(fmt, c * squares), np.empty_like(squares)
    now, begin, end = np.full_like(squares[..., 0], k), 0, 0
    for channel in range(squares.shape[-1]):
        first, last = response.window(channel, squares.shape[-1])
        for other in range(end, last):
            now = _rounded(fmt, now + terms[..., other])
        for other in range(begin, first):
            now = _rounded(fmt, now - terms[..., other])
        begin, end = first, last
        v[..., channel] = now
    return v


def _bound(values: Floats, order: str, response: Response, fmt: Format) -> Floats:
    """The worst-case error of y, from exact squares and from sums whose errors in float64 `SLACK` covers."""
    squares, channels = values * values, values.shape[-1]
    upto = np.concatenate([np.zeros_like(squares[..., :1]), np.cumsum(squares, axis=-1)], axis=-1)
    windows = [response.window(channel, channels) for channel in range(channels)]
    sums = np.stack([squares[..., a:b].sum(axis=-1) for a, b in windows], axis=-1)
    moved = np.stack([upto[..., a] + upto[..., b] for a, b in windows], axis=-1) if order == "sliding" else sums
    counts = [a + b if order == "sliding" else b - a for a, b in windows]
    k, c, tiny, beta = *map(float, (response.k, response.factor)), float(fmt.smallest_subnormal), float(response.beta)
    steps = np.array(counts, np.float64) + 3
    size = (k + c * moved) * SLACK
    v = k + c * sums
    error = np.expm1(steps * np.log1p(float(fmt.unit_roundoff))) * size + tiny * (steps * (c + 1) + moved)
    share = error * SLACK / v
    limit = np.abs(values * v**-beta) * ((1 - share) ** -abs(beta) * (1 + 2 * float(fmt.unit_roundoff)) - 1) * SLACK
    largest = float(fmt.largest)
    able = (share < 1) & (size + error <= largest) & (moved * SLACK + error <= largest) & np.isfinite(limit)
    found: Floats = np.where(able, limit + tiny, np.inf)
    return found


@in_default_arithmetic
def ordered_response(
    x: Any,
    size: int = 5,
    *,
    order: str = "direct",
    accumulator: Any = "float32",
    alpha: Any = 1e-4,
    beta: float = 0.75,
    k: Any = 1.0,
    alpha_over_size: bool = True,
    even: str = "before",
    axis: int = 1,
) -> OrderedResponse:
    """Local response normalisation whose window sums have a given order.

    Parameters
    ----------
    x, size, alpha, beta, k, alpha_over_size, even, axis : as of `varstudy.response_norm_forward`; alpha and k are not
        negative.
    order : ``direct`` or ``sliding``.
    accumulator : the format of every operation: float16, bfloat16 or float32, which must hold x.

    Raises
    ------
    TypeError
        A dtype is not taken.
    ValueError
        As for `varstudy.response_norm_forward`; the order is unknown; alpha or k is negative; the
        accumulator does not serve x.

    Examples
    --------
    >>> import numpy as np
    >>> from varkernels.norms.response_sums import ordered_response
    >>> x = np.array([[4096.0, 1, 1, 1]], np.float32)
    >>> for order in ("direct", "sliding"):
    ...     print(ordered_response(x, 3, order=order, alpha=1, k=0, alpha_over_size=False).v.tolist())
    [[16777216.0, 16777216.0, 3.0, 2.0]]
    [[16777216.0, 16777216.0, 0.0, -1.0]]
    """
    if order not in ORDERS:
        raise ValueError(f"order={order!r} is unknown: use one of {', '.join(ORDERS)}")
    array, response = array_of(x), response_of(size, alpha, beta, k, alpha_over_size, even)
    fmt = format_of(accumulator)
    given = result_format(array.dtype, None)
    if fmt.precision > FLOAT32.precision or given.largest > fmt.largest or given.precision > fmt.precision:
        raise ValueError(f"x is {given} and the accumulator {fmt}: give a format up to float32 that holds x")
    if response.factor < 0 or response.k < 0:
        raise ValueError(f"alpha is {alpha!r} and k is {k!r}: give numbers that are not negative")
    with np.errstate(all="ignore"):
        values: Floats = np.moveaxis(array, axis, -1).astype(np.float64)
        v = (_direct if order == "direct" else _sliding)(_rounded(fmt, values * values), response, fmt)
        y = fmt.rounded(values * v ** -float(response.beta))
        limit = _bound(values, order, response, fmt)
    found = [np.moveaxis(each, -1, axis) for each in (y, fmt.rounded(v), limit)]
    return OrderedResponse(*found)
