"""The exact output of a normalisation layer, element by element, correctly rounded.

    y = w (x - mean) / sqrt(variance + epsilon) + b

A pass in pairs of float64 numbers comes first. With u = 2^-53, d = x - mean errs by 3 u^2 |d| + 2 u^2 |rest| (see
`row_statistics`), s = w r by 7 u^2 |s|, p = d s by another 9 u^2 |p|, and y = p + b by 3 u^2 |y|: together at most

    20 u^2 |p| + 3 u^2 |s rest| + 3 u^2 |y| <= 2^-100 (|p| + |s rest| + |y|).

Where both ends of that interval round to one number, y is decided. The others, and numbers near the ends of float64's
range, are settled by integers (`settling`).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import in_default_arithmetic
from ..formats import Format, format_of
from ..stats.inputs import array_of, result_format
from .answers import ExactArray, Filled
from .geometry import Geometry, blocks, cut, geometry_of
from .pairs import Floats, plus, safe, scaled, times
from .row_statistics import Rows, exact_rows, given_rows, number_of

__all__ = ["BLOCK", "Layer", "layer_of", "norm_forward", "number_at"]

# Values at a time: their pairs stay in cache.
BLOCK = 2**14


class Layer:
    """A norm, its input in the geometry's shape, its statistics and its parameters.

    Attributes
    ----------
    narrow : whether all numbers come in formats of at most float32's range, so that safe rows have safe values.
    """

    def __init__(self, x: NDArray[Any], geometry: Geometry, rows: Rows, parameters: dict[str, Any]) -> None:
        self.x, self.geometry, self.rows = x, geometry, rows
        self.weight, self.bias = (geometry.parameters(name, parameters.get(name)) for name in ("weight", "bias"))
        given = [x, *(array_of(each) for each in parameters.values() if each is not None)]
        self.narrow = all(each.dtype.kind != "f" or each.dtype.itemsize <= 4 for each in given)

    def values(self, piece: tuple[slice, ...]) -> Floats:
        """The input of a piece as float64."""
        return self.x[piece].astype(np.float64)

    def row(self, at: tuple[int, ...]) -> int:
        """The number of the row of a value."""
        return int(self.rows.numbers[tuple(0 if n == 1 else k for k, n in zip(at, self.rows.known.shape, strict=True))])

    def deviation(self, at: tuple[int, ...]) -> Fraction:
        """x - mean of one value, exact."""
        return number_at(self.x, at) - self.rows.mean(self.row(at))


def number_at(array: NDArray[Any] | None, at: tuple[int, ...], without: int = 0) -> Fraction:
    """A value of an array that broadcasts, exact; another number without an array."""
    if array is None:
        return Fraction(without)
    return Fraction(float(array[tuple(0 if n == 1 else k for k, n in zip(at, array.shape, strict=True))]))


def layer_of(
    x: Any,
    norm: str,
    layout: str | None,
    groups: int,
    epsilon: Any,
    mean: Any,
    variance: Any,
    **parameters: Any,
) -> Layer:
    """The layer that callers describe; see `norm_forward` for the parameters and errors."""
    array = array_of(x)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    format_of(array.dtype)
    geometry = geometry_of(norm, layout, groups, array.shape)
    array = array.reshape(geometry.shape)
    small = number_of(epsilon)
    if (mean is None) != (variance is None):
        raise ValueError("mean and variance go together: give both, or none")
    if mean is None:
        return Layer(array, geometry, exact_rows(array, geometry, small), parameters)
    if norm not in ("batch", "instance"):
        raise ValueError(f"mean and variance are given, and {norm} norm has no running statistics: leave them out")
    kept = [geometry.parameters(name, values) for name, values in (("mean", mean), ("variance", variance))]
    return Layer(array, geometry, given_rows(kept[0], kept[1], small), parameters)  # type: ignore[arg-type]


@in_default_arithmetic
def norm_forward(
    x: Any,
    norm: str = "layer",
    *,
    layout: str | None = None,
    groups: int = 32,
    weight: Any = None,
    bias: Any = None,
    epsilon: Any = 1e-5,
    mean: Any = None,
    variance: Any = None,
    dtype: Any = None,
) -> ExactArray:
    """The exact output of a normalisation layer, each element correctly rounded.

    y = weight (x - mean) / sqrt(variance + epsilon) + bias, each of them taken as exactly the number that it is.
    The variance is that of the population, M2 / n.

    Parameters
    ----------
    x : array of two to five axes in float16, bfloat16, float32 or float64; tensors of torch too.
    norm : ``batch``, ``layer``, ``group``, ``instance`` or ``rms``. Layer and RMS norm take all values of a sample
        together; bring (N, L, C) into the shape (N L, C) to take each position's channels.
    layout : ``NCHW``, ``NHWC``, ``NC``, ``NCL``, ``NLC``, ``NCDHW`` or ``NDHWC``; None: channels are the second axis.
    groups : of group norm; it must divide the channels.
    weight, bias : of the shape (C,); for layer and RMS norm of the shape x.shape[1:]. None: 1 and 0.
    epsilon : 0 or a positive number: a float, a Fraction.
    mean, variance : given statistics, as batch norm takes them in evaluation, of the shape (C,).
    dtype : of the rounded output; x's own by default.

    Returns
    -------
    `ExactArray`, with .rounded, and .high + .low with about 100 bits. NaN where no exact output exists: a value of the
    row is not finite, variance + epsilon is 0 or negative.

    Raises
    ------
    TypeError
        A dtype is not taken.
    ValueError
        The norm or the layout is unknown; a shape does not fit; epsilon is negative or not finite; only one of mean and
        variance is given, or both are to a norm that keeps none.

    Examples
    --------
    >>> import numpy as np, varstudy
    >>> x = np.array([[300.0, 301, 302, 306]], np.float16)
    >>> varstudy.norm_forward(x, "layer", epsilon=0).rounded
    array([[-0.988  , -0.549  , -0.10974,  1.646  ]], dtype=float16)
    """
    layer = layer_of(x, norm, layout, groups, epsilon, mean, variance, weight=weight, bias=bias)
    fmt: Format = result_format(layer.x.dtype, dtype)
    rows, w, b = layer.rows, layer.weight, layer.bias

    def exact(at: tuple[int, ...]) -> tuple[Fraction, Fraction, Fraction]:
        return number_at(w, at, 1) * layer.deviation(at), rows.v(layer.row(at)), number_at(b, at)

    filled = Filled(layer.geometry.shape, fmt, exact)
    known = rows.known & _finite(w) & _finite(b)
    with np.errstate(all="ignore"):
        for piece in blocks(layer.geometry.shape, BLOCK):
            values = layer.values(piece)
            d, r = rows.deviations(values, piece), (cut(rows.r[0], piece), cut(rows.r[1], piece))
            s = r if w is None else scaled(r, cut(w, piece))
            p = times(d, s)
            y = p if b is None else plus(p, (cut(b, piece), np.zeros(1)))
            terms = np.abs(p[0]) + np.abs(s[0] * cut(rows.rest[0], piece)) + np.abs(y[0])
            able: Any = cut(rows.safe, piece)
            if not layer.narrow:
                able = able & safe(d[0]) & safe(s[0])
                for each in (w, b):
                    able = able if each is None else able & safe(cut(each, piece))
            filled.put(piece, y, terms, cut(known, piece) & np.isfinite(values), able)
    return filled.answer.reshape(np.shape(layer.x)).reshape(array_of(x).shape)


def _finite(values: Floats | None) -> Any:
    return np.True_ if values is None else np.isfinite(values)
