"""The exact output of local response normalisation, element by element, correctly rounded.

    y_c = x_c / v_c^beta,    v_c = k + alpha / n  times the sum of x_j^2 over the window of channel c

(Krizhevsky, Sutskever, Hinton 2012, ImageNet Classification with Deep Convolutional Neural Networks, section 3.3,
doi:10.1145/3065386; alpha alone in the paper, alpha / n in most frameworks). A window is n neighbouring channels, cut
at the border.

The window's sum is an integer on a grid, so v is a rational number. beta is a float, thus p / 2^j with odd p. While
j > 0 and v is the square of a rational number, the root takes v's place and beta doubles. If j reaches 0, y is
rational. Otherwise v^beta is irrational: were v^(p / 2^j) rational, v^p would be a square, and v too, as p is odd. So y
differs from every number of a format and from every point halfway between two, and bounds with more and more bits
decide the rounding (Ziv 1991, doi:10.1145/114697.116813). Bounds are integer roots for j <= 4, and exp(-beta log v) of
mpmath for other exponents.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from ..arithmetic import in_default_arithmetic
from ..formats import FLOAT64, Format, format_of
from ..rounding import round_to
from ..stats.inputs import array_of, result_format
from .answers import ExactArray

__all__ = ["EVEN", "LARGEST_BETA", "Response", "ResponseNorm", "response_norm_forward", "response_of", "settled_power"]

# Where a window of an even size has one channel more: before its own channel, or after it.
EVEN = ("before", "after")
# Powers of rational numbers are computed whole.
LARGEST_BETA = 64.0
_BITS = 160
# Roots of degree 2^j at most are taken of integers.
_ROOTS = 4


@dataclass(frozen=True)
class Response:
    """The parameters of a local response normalisation, each taken as exactly the number that it is.

    Attributes
    ----------
    size : channels of a window. factor : of the window's sum of squares. beta : the exponent. k : the constant.
    even : ``before`` or ``after``: where a window of an even size has one channel more.
    """

    size: int
    factor: Fraction
    beta: Fraction
    k: Fraction
    even: str

    def window(self, channel: int, channels: int) -> tuple[int, int]:
        """The first channel of a window, and the one after its last, cut at the border."""
        below = self.size // 2 if self.even == "before" else (self.size - 1) // 2
        return max(0, channel - below), min(channels, channel - below + self.size)


@dataclass(frozen=True, eq=False)
class ResponseNorm:
    """What local response normalisation answers.

    Attributes
    ----------
    y : the output, each element correctly rounded. sums : the sum of squares of each element's window, likewise.
    """

    y: ExactArray
    sums: ExactArray


def response_of(size: int, alpha: Any, beta: float, k: Any, alpha_over_size: bool, even: str) -> Response:
    """The parameters that callers describe; see `response_norm_forward` for them and for the errors."""
    if operator.index(size) < 1:
        raise ValueError(f"size is {size!r}: give the channels of a window, 1 or more")
    if even not in EVEN:
        raise ValueError(f"even={even!r} is unknown: use one of {', '.join(EVEN)}")
    found = []
    for name, value in (("alpha", alpha), ("beta", float(beta)), ("k", k)):
        try:
            found.append(Fraction(value))
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{name} is {value!r}: give a finite number") from None
    if abs(found[1]) > LARGEST_BETA:
        raise ValueError(f"beta is {beta!r}: give an exponent from -{LARGEST_BETA:g} to {LARGEST_BETA:g}")
    return Response(size, found[0] / (size if alpha_over_size else 1), found[1], found[2], even)


def _root(value: Fraction) -> Fraction | None:
    p, q = math.isqrt(value.numerator), math.isqrt(value.denominator)
    return Fraction(p, q) if p * p == value.numerator and q * q == value.denominator else None


def _pair(value: Fraction) -> tuple[float, float]:
    high = float(round_to(value, FLOAT64))
    return high, float(round_to(value - Fraction(high), FLOAT64)) if math.isfinite(high) else 0.0


def _bounds_by_roots(x: Fraction, v: Fraction, beta: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
    """Bounds of x / v^beta, closer and closer; x positive, beta's denominator a small power of two."""
    degree = beta.denominator
    power = x**degree / v**beta.numerator
    bits = _BITS + max(0, power.denominator.bit_length() - power.numerator.bit_length()) // degree
    while True:
        near = (power.numerator << degree * bits) // power.denominator
        for _ in range(degree.bit_length() - 1):
            near = math.isqrt(near)
        yield Fraction(near, 1 << bits), Fraction(near + 1, 1 << bits)
        bits *= 2


def _bounds_by_exponentials(x: Fraction, v: Fraction, beta: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
    """The same for any beta: |beta log v| is below 2^20, so that 60 more bits than the bound claims are ample."""
    bits = _BITS
    while True:
        with mpmath.workprec(bits + 60):
            log = mpmath.log(mpmath.mpf(v.numerator) / v.denominator)
            if abs(log) < 2.0**-20:  # the quotient's rounding must stay small next to v - 1
                log = mpmath.log1p(mpmath.mpf((v - 1).numerator) / (v - 1).denominator)
            power = mpmath.exp(-mpmath.mpf(beta.numerator) / beta.denominator * log)
            mantissa, exponent = power.man_exp
        near = x * int(mantissa) * Fraction(2) ** int(exponent)
        width = near / (1 << bits)
        yield near - width, near + width
        bits *= 2


def settled_power(x: Fraction, v: Fraction, beta: Fraction, fmt: Format) -> tuple[Any, tuple[float, float]]:
    """x / v^beta rounded to a format, and as a pair of float64 numbers with a relative error below 2^-100.

    Parameters
    ----------
    x : any rational number. v : a positive one. beta : a rational number whose denominator is a power of two.
    fmt : the format, to nearest even.
    """
    while beta.denominator > 1 and (root := _root(v)) is not None:
        v, beta = root, 2 * beta
    if beta.denominator == 1 or not x:
        exact = x / v**beta.numerator if x else Fraction(0)
        return round_to(exact, fmt), _pair(exact)
    bounds = _bounds_by_roots if beta.denominator <= 1 << _ROOTS else _bounds_by_exponentials
    for ends in bounds(abs(x), v, beta):
        low, high = ends if x > 0 else (-ends[1], -ends[0])
        answers = round_to(low, fmt), round_to(high, fmt)
        if answers[0] == answers[1] and (high - low) * (1 << 101) <= min(abs(low), abs(high)):
            return answers[0], _pair((low + high) / 2)
    raise AssertionError("bounds have no end")


def _sums(lane: list[float], response: Response) -> list[Fraction | None]:
    """The exact sum of squares of each window; None where one of its values is not finite."""
    finite = [math.isfinite(value) for value in lane]
    ratios = [value.as_integer_ratio() if able else (0, 1) for value, able in zip(lane, finite, strict=True)]
    grid = max((q.bit_length() - 1 for _, q in ratios), default=0)
    squares = [(p << grid - (q.bit_length() - 1)) ** 2 for p, q in ratios]
    upto = list(itertools.accumulate(squares, initial=0))
    bad = list(itertools.accumulate((not able for able in finite), initial=0))
    windows = [response.window(c, len(lane)) for c in range(len(lane))]
    return [Fraction(upto[b] - upto[a], 1 << 2 * grid) if bad[a] == bad[b] else None for a, b in windows]


def _exact_array(shape: tuple[int, ...], fmt: Format) -> ExactArray:
    return ExactArray(np.full(shape, np.nan, fmt.dtype), np.full(shape, np.nan), np.full(shape, np.nan), fmt)


def _back(found: ExactArray, moved: tuple[int, ...], axis: int) -> ExactArray:
    y, high, low = (np.moveaxis(each.reshape(moved), -1, axis) for each in (found.rounded, found.high, found.low))
    return ExactArray(y, high, low, found.format)


@in_default_arithmetic
def response_norm_forward(
    x: Any,
    size: int = 5,
    *,
    alpha: Any = 1e-4,
    beta: float = 0.75,
    k: Any = 1.0,
    alpha_over_size: bool = True,
    even: str = "before",
    axis: int = 1,
    dtype: Any = None,
) -> ResponseNorm:
    """The exact output of local response normalisation, each element correctly rounded.

    y = x / (k + c s)^beta, where s is the sum of squares over a window of channels, and c is alpha / size or alpha
    (Krizhevsky, Sutskever, Hinton 2012, section 3.3, doi:10.1145/3065386). Numbers of any size are exact;
    an element takes 0.1 to 0.4 ms.

    Parameters
    ----------
    x : array in float16, bfloat16, float32 or float64; tensors of torch too.
    size : channels of a window; at the border it has those that exist, and c stays.
    alpha, beta, k : the parameters, each taken as exactly the number that it is.
    alpha_over_size : whether c is alpha / size, as in PyTorch, ONNX and Caffe, or alpha, as in TensorFlow and the
        paper.
    even : where a window of an even size has one channel more: ``before`` its own, as in PyTorch, or ``after``, as ONNX
        defines it.
    axis : that of the channels.
    dtype : of the rounded output; x's own by default.

    Returns
    -------
    `ResponseNorm`, with .y and the windows' exact sums as .sums. NaN where no exact number exists: a value of the
    window is not finite, or k + c s is 0 or negative.

    Raises
    ------
    TypeError
        A dtype is not taken, or size is no integer.
    ValueError
        size is below 1; a parameter is not finite; |beta| is above 64; the axis does not exist.

    Examples
    --------
    >>> import numpy as np, varstudy
    >>> x = np.full((1, 4), 3, np.float32)
    >>> found = varstudy.response_norm_forward(x, 3, alpha=1, beta=0.5, k=1)
    >>> found.y.rounded, found.sums.rounded
    (array([[1.1338934, 0.9486833, 0.9486833, 1.1338934]], dtype=float32), array([[18., 27., 27., 18.]], dtype=float32))
    """
    array, response = array_of(x), response_of(size, alpha, beta, k, alpha_over_size, even)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    format_of(array.dtype)
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(f"axis is {axis}, and x has the shape {array.shape}: give the axis of the channels")
    fmt = result_format(array.dtype, dtype)
    lanes: NDArray[np.float64] = np.moveaxis(array, axis, -1).astype(np.float64)
    moved = lanes.shape
    table = lanes.reshape(math.prod(moved[:-1]), moved[-1])
    y, sums = _exact_array(table.shape, fmt), _exact_array(table.shape, fmt)
    for row, lane in enumerate(table.tolist()):
        for c, (value, total) in enumerate(zip(lane, _sums(lane, response), strict=True)):
            if total is None:
                continue
            at = (row, c)
            sums.rounded[at] = round_to(total, fmt)
            sums.high[at], sums.low[at] = _pair(total)
            v = response.k + response.factor * total
            if v > 0:
                y.rounded[at], (y.high[at], y.low[at]) = settled_power(Fraction(value), v, response.beta, fmt)
    return ResponseNorm(_back(y, moved, axis), _back(sums, moved, axis))
