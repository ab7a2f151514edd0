"""The exact output of weight normalisation, element by element, correctly rounded.

    w = g v / sqrt(s + eps),    s the sum of v^2 over one slice of the kept axis

(Salimans, Kingma 2016, Weight Normalization, arXiv:1602.07868). s is an integer on a grid, so that every element has
the form a / sqrt(b) with rational a and b: `varkernels.norms.settling` rounds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..arithmetic import in_default_arithmetic
from ..formats import Format, format_of
from ..stats.inputs import array_of, result_format
from .answers import ExactArray
from .settling import settled

__all__ = ["WeightNorm", "exact_norms", "weight_norm_forward"]


@dataclass(frozen=True, eq=False)
class WeightNorm:
    """What weight normalisation answers.

    Attributes
    ----------
    w : the weights, each correctly rounded, in the shape of v.
    norms : sqrt(s) of each slice, without epsilon, likewise; one along the kept axis, and ones elsewhere.
    """

    w: ExactArray
    norms: ExactArray


def _exact_array(shape: tuple[int, ...], fmt: Format) -> ExactArray:
    return ExactArray(np.full(shape, np.nan, fmt.dtype), np.full(shape, np.nan), np.full(shape, np.nan), fmt)


def _put(array: ExactArray, at: tuple[int, ...], a: Fraction, v: Fraction) -> None:
    """Set one element to a / sqrt(v)."""
    array.rounded[at], (array.high[at], array.low[at]) = settled(a, v, Fraction(0), array.format)


def _sum_of_squares(values: list[float]) -> Fraction:
    ratios = [value.as_integer_ratio() for value in values]
    grid = max((q.bit_length() for _, q in ratios), default=1)
    return Fraction(sum((p << grid - q.bit_length()) ** 2 for p, q in ratios), 1 << 2 * (grid - 1))


def exact_norms(v: Any) -> ExactArray:
    """The Euclidean norm of each row of a table, correctly rounded to its format; NaN where a value is not finite."""
    found = _exact_array((len(v),), format_of(v.dtype))
    for row, values in enumerate(v.astype(np.float64).tolist()):
        if np.isfinite(values).all():
            s = _sum_of_squares(values)
            _put(found, (row,), s, s or Fraction(1))
    return found


def _fraction(name: str, value: Any) -> Fraction:
    try:
        return Fraction(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is {value!r}: give a finite number") from None


@in_default_arithmetic
def weight_norm_forward(
    v: Any, g: Any = 1, *, axis: int | None = 0, epsilon: Any = 0, floor: bool = False, dtype: Any = None
) -> WeightNorm:
    """The exact output of weight normalisation, each element correctly rounded.

    w = g v / sqrt(s + epsilon), where s is the sum of squares of v over all axes but one (Salimans, Kingma 2016,
    arXiv:1602.07868). Numbers of any size are exact; an element takes about 20 microseconds.

    Parameters
    ----------
    v : array in float16, bfloat16, float32 or float64; tensors of torch too.
    g : the length of each slice: a number, or one for each index of the kept axis.
    axis : that is kept, 0 for weights as PyTorch lays them out, -1 for those of Keras and Flax; None for one norm of
        the whole array.
    epsilon : taken as exactly the number that it is; 0 or more.
    floor : whether epsilon is the least s, as in TensorFlow, instead of added to s.
    dtype : of the rounded output; v's own by default.

    Returns
    -------
    `WeightNorm`, with .w and the exact norms as .norms. NaN where no exact number exists: a value of the slice is not
    finite, or it has only zeros and epsilon is 0.

    Raises
    ------
    TypeError
        A dtype is not taken.
    ValueError
        epsilon is negative; g has another length than the kept axis, or is not finite; the axis does not exist.

    Examples
    --------
    >>> import varstudy
    >>> found = varstudy.weight_norm_forward([[3.0, 4.0], [0.0, 0.0]], 10)
    >>> found.w.rounded.tolist(), found.norms.rounded.tolist()
    ([[6.0, 8.0], [nan, nan]], [[5.0], [0.0]])
    """
    array, added = array_of(v), _fraction("epsilon", epsilon)
    format_of(array.dtype)
    if added < 0:
        raise ValueError(f"epsilon is {epsilon!r}: give 0 or more")
    if axis is not None and not -array.ndim <= axis < array.ndim:
        raise ValueError(f"axis is {axis}, and v has the shape {array.shape}: give the axis that is kept, or None")
    fmt = result_format(array.dtype, dtype)
    kept = None if axis is None else axis % array.ndim
    slices = array.reshape(1, -1) if kept is None else np.moveaxis(array, kept, 0).reshape(array.shape[kept], -1)
    lengths = np.ravel(array_of(g)).tolist()
    if len(lengths) not in (1, len(slices)):
        raise ValueError(f"g has {len(lengths)} values, the kept axis {len(slices)}: give one number, or one for each")
    scales = [_fraction("g", each) for each in lengths] * (len(slices) if len(lengths) == 1 else 1)
    w, norms = _exact_array(slices.shape, fmt), _exact_array((len(slices),), fmt)
    for row, values in enumerate(slices.astype(np.float64).tolist()):
        if not np.isfinite(values).all():
            continue
        s = _sum_of_squares(values)
        divisor = max(s, added) if floor else s + added
        _put(norms, (row,), s, s or Fraction(1))
        if divisor:
            for column, value in enumerate(values):
                _put(w, (row, column), scales[row] * Fraction(value), divisor)
    shape = tuple(1 if kept is None or k != kept else n for k, n in enumerate(array.shape))
    return WeightNorm(_each(w, lambda part: _back(part, array.shape, kept)), norms.reshape(shape))


def _back(part: Any, shape: tuple[int, ...], kept: int | None) -> Any:
    if kept is None:
        return part.reshape(shape)
    rest = [n for k, n in enumerate(shape) if k != kept]
    return np.moveaxis(part.reshape(shape[kept], *rest), 0, kept)


def _each(array: ExactArray, change: Callable[[Any], Any]) -> ExactArray:
    return ExactArray(change(array.rounded), change(array.high), change(array.low), array.format)
