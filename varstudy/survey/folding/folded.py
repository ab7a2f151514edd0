"""The weights and the bias of a convolution that has taken in the layer after it, each rounded once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varkernels.formats import FLOAT64, Format, format_of

from .channel import Channel, channels_of, numbers, row

__all__ = ["Folded", "fold"]

# Two roundings of float64, and as much again: how far a float64 product may be from the exact one.
NEAR = 2.0**-51


@dataclass(frozen=True)
class Folded:
    """A convolution that has taken in the layer after it.

    Attributes
    ----------
    weight : of the shape that was given. bias : one number an output channel. Both in the format asked for.
    """

    weight: NDArray[Any]
    bias: NDArray[Any]


def fold(
    weight: ArrayLike,
    bias: ArrayLike | None,
    scale: ArrayLike | None,
    shift: ArrayLike | None,
    mean: ArrayLike | None = None,
    var: ArrayLike | None = None,
    epsilon: float | Fraction | None = None,
    *,
    dtype: Any = "float32",
) -> Folded:
    """The weights and the bias of a convolution that has taken in the batch norm or the affine layer after it.

    Parameters
    ----------
    weight : (O, I, H, W), or any array whose first axis is the output channels: a dense layer's (O, I), a grouped
        convolution's (O, I / groups, H, W). A transposed convolution's has them second: move the axis before and after.
    bias : (O,), or None for a convolution without.
    scale, shift : (O,), gamma and beta; None for a layer without (1 and 0).
    mean, var, epsilon : (O,), (O,) and a number, as the layer uses them in inference; all None for an affine layer
        without statistics. Every number is taken as exactly what it is: where a layer keeps epsilon in float32, give
        ``numpy.float32(1e-5)``.
    dtype : the format of the answer: float64, float32, float16 or bfloat16.

    Raises
    ------
    ValueError
        The shapes do not fit, a number is not finite, a variance with epsilon is not positive, or an answer is larger
        than the format's largest number.
    TypeError
        The format is unknown.
    """
    fmt = format_of(dtype)
    kernel = numbers("weight", weight)
    channels = channels_of(kernel, scale, shift, mean, var, epsilon)
    offsets = row("bias", bias, len(channels), 0)
    flat = kernel.reshape(len(channels), -1)
    folded = np.empty(flat.shape, fmt.dtype)
    for o, channel in enumerate(channels):
        folded[o] = _products(flat[o], channel, fmt)
    biases = np.array(
        [c.rounded(b - c.mean, c.shift, fmt) for c, b in zip(channels, offsets, strict=True)], dtype=fmt.dtype
    )
    _refuse_overflow("weight", folded, fmt)
    _refuse_overflow("bias", biases, fmt)
    return Folded(folded.reshape(kernel.shape), biases)


def _products(weights: NDArray[np.float64], channel: Channel, fmt: Format) -> NDArray[Any]:
    """Each weight times the channel's slope, rounded once.

    A float64 product is at most NEAR from the exact one; where both ends round to the same number, that is it. The few
    that are near a tie, and all where the format is float64, are done in integers.
    """
    answer = np.empty(weights.shape, fmt.dtype)
    doubtful = np.ones(weights.shape, bool)
    slope = float(channel.rounded(Fraction(1), Fraction(0), FLOAT64))
    if fmt != FLOAT64 and FLOAT64.smallest_normal <= abs(Fraction(slope)) <= FLOAT64.largest:
        with np.errstate(over="ignore", under="ignore"):
            near = weights * slope
            low, high = fmt.rounded(near * (1 - NEAR)), fmt.rounded(near * (1 + NEAR))
        settled = (low == high) & (np.abs(near) > 2.0**-900) & np.isfinite(near)
        answer[settled] = low[settled]
        doubtful = ~settled
    answer[weights == 0] = 0
    for k in np.flatnonzero(doubtful & (weights != 0)):
        answer[k] = channel.rounded(Fraction(float(weights[k])), Fraction(0), fmt)
    return answer


def _refuse_overflow(name: str, values: NDArray[Any], fmt: Format) -> None:
    beyond = ~np.isfinite(values.astype(np.float64))
    if beyond.any():
        where = int(np.argwhere(beyond)[0][0])
        raise ValueError(
            f"the folded {name} of channel {where} is larger than {fmt.name}'s largest number, "
            f"{float(fmt.largest):g}: fold in a wider format, or leave this layer unfolded"
        )
