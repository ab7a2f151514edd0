"""The weights and the bias of a convolution that has taken in the layer after it, each rounded once.

A channel of the layer is an exact affine map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varkernels.formats import FLOAT64, FORMATS, Format, format_of
from varkernels.rounding import round_to

__all__ = ["Channel", "Folded", "channels_of", "fold", "numbers", "row"]

# Two roundings of float64, and as much again: how far a float64 product may be from the exact one.
NEAR = 2.0**-51
# Bits of the first enclosure beyond the format's own; doubled until it is tight enough.
GUARD = 16


@dataclass(frozen=True)
class Channel:
    """The exact map z -> (z - mean) a + shift with a = scale / sqrt(variance + epsilon).

    variance is None for an affine layer without statistics, of which a = scale.
    """

    scale: Fraction
    shift: Fraction
    mean: Fraction
    variance: Fraction | None
    epsilon: Fraction

    @cached_property
    def square(self) -> Fraction:
        """That of a."""
        return self.scale**2 / (1 if self.variance is None else self.variance + self.epsilon)

    def slope(self, bits: int) -> tuple[Fraction, Fraction]:
        """Two rationals that enclose a, `bits` bits long; equal where it is rational."""
        if not self.square:
            return Fraction(0), Fraction(0)
        p, q = self.square.numerator, self.square.denominator
        sign = -1 if self.scale < 0 else 1
        exact = math.isqrt(p), math.isqrt(q)
        if exact[0] ** 2 == p and exact[1] ** 2 == q:
            root = sign * Fraction(*exact)
            return root, root
        shift = bits + (q.bit_length() - p.bit_length()) // 2 + 1
        low = math.isqrt((p << 2 * shift) // q if shift >= 0 else p // (q << -2 * shift))
        unit = Fraction(2) ** -shift
        ends = sign * low * unit, sign * (low + 1) * unit
        return min(ends), max(ends)

    def rounded(self, factor: Fraction, offset: Fraction, fmt: Format) -> Any:
        """factor a + offset, rounded once."""
        bits = fmt.precision + GUARD
        while True:
            low, high = (round_to(factor * end + offset, fmt) for end in self.slope(bits))
            if low == high:
                return low
            bits *= 2


def numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """The values as float64, the same numbers."""
    given = np.asarray(values)
    if given.dtype.kind in "iub" and np.array_equal(given.astype(np.float64).astype(given.dtype), given):
        given = given.astype(np.float64)
    if given.dtype not in [fmt.dtype for fmt in FORMATS.values()]:
        raise ValueError(f"{name} is {given.dtype}: give an array of {', '.join(FORMATS)}")
    wide = given.astype(np.float64)
    if not np.all(np.isfinite(wide)):
        raise ValueError(f"{name} has a NaN or an infinity: there is nothing to fold")
    return wide


def row(name: str, values: ArrayLike | None, channels: int, missing: int) -> list[Fraction]:
    """One exact number a channel; the missing one where none are given."""
    if values is None:
        return [Fraction(missing)] * channels
    given = numbers(name, values)
    if given.shape != (channels,):
        raise ValueError(
            f"{name} has shape {given.shape}: the weight has {channels} output channels, give ({channels},)"
        )
    return [Fraction(value) for value in given.tolist()]


def channels_of(
    kernel: NDArray[np.float64],
    scale: ArrayLike | None,
    shift: ArrayLike | None,
    mean: ArrayLike | None,
    var: ArrayLike | None,
    epsilon: float | Fraction | None,
) -> list[Channel]:
    """The exact map of each output channel.

    Raises
    ------
    ValueError
        As for `fold`.
    """
    if kernel.ndim < 2 or not kernel.size:
        raise ValueError(f"weight has shape {kernel.shape}: give (O, I, H, W), or (O, I) of a dense layer")
    given = [mean is not None, var is not None, epsilon is not None]
    if any(given) and not all(given):
        raise ValueError("mean, var and epsilon go together: give all three, or none of an affine layer")
    count = len(kernel)
    scales, shifts = row("scale", scale, count, 1), row("shift", shift, count, 0)
    means = row("mean", mean, count, 0)
    variances = [None] * count if var is None else row("var", var, count, 1)
    try:
        added = Fraction(*map(int, (0.0 if epsilon is None else epsilon).as_integer_ratio()))
    except (TypeError, ValueError, OverflowError, AttributeError):
        raise ValueError(f"epsilon={epsilon!r}: give a finite number, such as 1e-5") from None
    for o, v in enumerate(variances):
        if v is not None and (v + added <= 0 or v < 0):
            raise ValueError(
                f"channel {o} has variance {float(v)!r} and epsilon {float(added)!r}: its root does not exist; give "
                "variances of 0 or more whose sum with epsilon is positive"
            )
    return [Channel(*each, added) for each in zip(scales, shifts, means, variances, strict=True)]


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
    transposed: bool | None = None,
    groups: int = 1,
    dtype: Any = "float32",
) -> Folded:
    """The weights and the bias of a convolution that has taken in the batch norm or the affine layer after it.

    Parameters
    ----------
    weight : (O, I, H, W), or any array whose first axis is the output channels: a dense layer's (O, I), a grouped
        convolution's (O, I / groups, H, W). A transposed convolution's is (I, O / groups, H, W), as PyTorch has it.
    bias : (O,), or None for a convolution without.
    scale, shift : (O,), gamma and beta; None for a layer without (1 and 0).
    mean, var, epsilon : (O,), (O,) and a number, as the layer uses them in inference; all None for an affine layer
        without statistics. Every number is taken as exactly what it is: where a layer keeps epsilon in float32, give
        ``numpy.float32(1e-5)``.
    transposed, groups : of the convolution. The shape does not tell them: `transposed` is needed where the weight has
        more than two axes. `fold_layers` reads both from a layer.
    dtype : the format of the answer: float64, float32, float16 or bfloat16.

    Raises
    ------
    ValueError
        `transposed` is not given, the shapes do not fit, a number is not finite, a variance with epsilon is not
        positive, or an answer is larger than the format's largest number.
    TypeError
        The format is unknown.
    """
    fmt = format_of(dtype)
    given = numbers("weight", weight)
    if transposed is None and given.ndim > 2:
        raise ValueError(
            f"weight has shape {given.shape}, which does not tell the axis of its outputs: give transposed=False for "
            "(O, I / groups, H, W), transposed=True for a transposed convolution's (I, O / groups, H, W)"
        )
    kernel = _outputs_first(given, groups) if transposed else given
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
    folded = folded.reshape(kernel.shape)
    return Folded(_outputs_second(folded, given.shape, groups) if transposed else folded, biases)


def _outputs_first(weight: NDArray[Any], groups: int) -> NDArray[Any]:
    """(O, I / groups, H, W) of a transposed convolution's (I, O / groups, H, W): group g has the g-th part of both."""
    if isinstance(groups, bool) or groups != int(groups) or groups < 1 or weight.shape[0] % int(groups):
        raise ValueError(f"groups={groups!r}: give a whole number that divides the {weight.shape[0]} input channels")
    groups = int(groups)
    parts = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    return np.ascontiguousarray(parts.reshape(groups * weight.shape[1], -1, *weight.shape[2:]))


def _outputs_second(kernel: NDArray[Any], shape: tuple[int, ...], groups: int) -> NDArray[Any]:
    """The inverse of `_outputs_first`."""
    parts = kernel.reshape(int(groups), shape[1], -1, *shape[2:]).swapaxes(1, 2)
    return np.ascontiguousarray(parts.reshape(shape))


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
