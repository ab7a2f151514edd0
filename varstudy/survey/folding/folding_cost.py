"""What folding does to the outputs, against exact arithmetic and next to the two layers in the same format."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varkernels.formats import Format, format_of
from varkernels.rounding import round_to, ulp

from .folded import Channel, channels_of, fold, numbers, row

__all__ = ["Cost", "cost"]

# Stands for the exact value where an error is only measured: relative error below 2^-REFERENCE.
REFERENCE = 256


@dataclass(frozen=True)
class Cost:
    """What folding costs on one input.

    Attributes
    ----------
    dtype : the format. outputs : how many there are.
    folded_ulps, unfolded_ulps : the worst error of an output, in units in the last place of the exact output. An output
        that cancels to nearly nothing has a tiny unit, and a large error in it.
    folded_relative, unfolded_relative : the worst error over the largest exact output of the same channel.
    problem : why the two layers have no answer, and infinite errors: the parameter that the format does not hold. Empty
        where they have one.
    """

    dtype: str
    outputs: int
    folded_ulps: float
    unfolded_ulps: float
    folded_relative: float
    unfolded_relative: float
    problem: str = ""


def cost(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None,
    scale: ArrayLike | None,
    shift: ArrayLike | None,
    mean: ArrayLike | None = None,
    var: ArrayLike | None = None,
    epsilon: float | Fraction | None = None,
    *,
    dtype: Any = "float32",
    stride: int = 1,
    padding: int = 0,
) -> Cost:
    """What folding does to the outputs for one input, against exact arithmetic and next to the two layers unfolded.

    The sum of a convolution is exact here and is rounded once to the format when it is stored, as by a kernel with a
    wide accumulator: what is measured is the cost of folding and of nothing else. The unfolded norm rounds after
    each operation: 1 / sqrt(var + epsilon), times scale, x - mean, the product, plus shift. It has its parameters
    rounded to the format first; the reference has them as given. Everything is done in integers: for small inputs.

    Parameters
    ----------
    x : (N, I, H, W), taken as exactly what it is.
    weight, bias, scale, shift, mean, var, epsilon, dtype : as for `fold`, the weight (O, I, H, W).
    stride, padding : of the convolution, the same for rows and columns; it pads with zeros.

    Raises
    ------
    ValueError, TypeError
        As for `fold`; also where the input does not fit the weight, there is no such stride or padding, or the format
        does not hold an output.
    """
    fmt = format_of(dtype)
    image, kernel = numbers("x", x), numbers("weight", weight)
    channels = channels_of(kernel, scale, shift, mean, var, epsilon)
    if image.ndim != 4 or kernel.ndim != 4 or image.shape[1] != kernel.shape[1]:
        raise ValueError(
            f"x {image.shape} does not fit the weight {kernel.shape}: give x as (N, I, H, W), the weight (O, I, H, W)"
        )
    if stride < 1 or padding < 0:
        raise ValueError(f"stride={stride}, padding={padding}: give a stride of 1 or more and a padding of 0 or more")
    if any(image.shape[k] + 2 * padding < kernel.shape[k] for k in (2, 3)):
        raise ValueError(f"x {image.shape} is smaller than the kernel {kernel.shape}: pad it or give a larger one")
    biases = row("bias", bias, len(channels), 0)

    def convolved(weights: NDArray[Any], offsets: list[Fraction]) -> list[list[Fraction]]:
        sums = _convolution(image, weights, stride, padding)
        return [[value + offset for value in row] for row, offset in zip(sums, offsets, strict=True)]

    both = fold(weight, bias, scale, shift, mean, var, epsilon, transposed=False, dtype=fmt)
    folded = convolved(both.weight.astype(np.float64), [Fraction(float(b)) for b in both.bias])
    plain = convolved(kernel, biases)
    rounded, problem = _stored(kernel, fmt), ""
    norms: list[_Unfolded] = []
    stored: list[list[Fraction]] = []
    try:
        for o, weights in enumerate(rounded):
            _held(np.abs(weights).max(), f"channel {o}'s weight", fmt)
        offsets = [_held(round_to(b, fmt), f"channel {o}'s bias", fmt) for o, b in enumerate(biases)]
        norms = [_Unfolded.of(channel, o, fmt) for o, channel in enumerate(channels)]
        stored = convolved(rounded, [Fraction(float(b)) for b in offsets])
    except _NotHeld as error:
        problem = str(error)
    worst = [0.0, math.inf, 0.0, math.inf] if problem else [0.0] * 4
    for o, channel in enumerate(channels):
        low, high = channel.slope(REFERENCE)
        slope = (low + high) / 2
        exact = [(z - channel.mean) * slope + channel.shift for z in plain[o]]
        largest = max(abs(y) for y in exact)
        answers = [[_finite(round_to(y, fmt), fmt) for y in folded[o]]]
        if not problem:
            answers.append([norms[o](round_to(z, fmt)) for z in stored[o]])
        for k, answer in enumerate(answers):
            errors = [abs(a - y) for a, y in zip(answer, exact, strict=True)]
            worst[k] = max(worst[k], *(float(e / ulp(y, fmt)) for e, y in zip(errors, exact, strict=True)))
            if largest:
                worst[2 + k] = max(worst[2 + k], float(max(errors) / largest))
    return Cost(fmt.name, sum(len(row) for row in plain), worst[0], worst[1], worst[2], worst[3], problem)


@dataclass(frozen=True)
class _Unfolded:
    """A channel of the norm in the format itself: every operation rounds."""

    slope: Any
    mean: Any
    shift: Any
    fmt: Format

    @classmethod
    def of(cls, channel: Channel, o: int, fmt: Format) -> _Unfolded:
        def held(value: Any, name: str) -> Any:
            return _held(value, f"channel {o}'s {name}", fmt)

        slope = held(round_to(channel.scale, fmt), "scale")
        if channel.variance is not None:
            added = _held(round_to(channel.epsilon, fmt), "epsilon", fmt)
            variance = held(round_to(channel.variance, fmt), "variance")
            total = held(_once(np.add, variance, added, fmt), "variance with epsilon")
            if not total:
                raise _NotHeld(f"channel {o}'s variance with epsilon is 0 in {fmt.name}")
            over = _once(np.divide, fmt.dtype.type(1), _once(np.sqrt, total, None, fmt), fmt)
            slope = held(_once(np.multiply, slope, over, fmt), "scale over its deviation")
        mean, shift = held(round_to(channel.mean, fmt), "mean"), held(round_to(channel.shift, fmt), "shift")
        return cls(slope, mean, shift, fmt)

    def __call__(self, z: Any) -> Fraction:
        scaled = _once(np.multiply, _once(np.subtract, z, self.mean, self.fmt), self.slope, self.fmt)
        return _finite(_once(np.add, scaled, self.shift, self.fmt), self.fmt)


class _NotHeld(ValueError):
    """A parameter of the two layers that their format does not hold."""


def _held(rounded: Any, name: str, fmt: Format) -> Any:
    """A parameter of the unfolded layers, rounded to the format: the number, if the format has it."""
    if not math.isfinite(float(rounded)):
        raise _NotHeld(f"{name} is beyond {fmt.name}")
    return rounded


def _finite(value: Any, fmt: Format) -> Fraction:
    if not math.isfinite(float(value)):
        raise ValueError(
            f"an output is beyond {fmt.name}'s largest number, {float(fmt.largest):g}: scale the input down"
        )
    return Fraction(float(value))


def _once(operation: Any, a: Any, b: Any, fmt: Format) -> Any:
    """One operation, rounded once: float64 has over twice the bits of the other formats: its own does no harm."""
    given = (np.float64(a),) if b is None else (np.float64(a), np.float64(b))
    with np.errstate(all="ignore"):
        return _stored(np.asarray(operation(*given)), fmt)[()]


def _stored(values: NDArray[np.float64], fmt: Format) -> NDArray[np.float64]:
    """float64 values rounded once to the format, as float64 again."""
    return np.asarray(fmt.rounded(values)).astype(np.float64)


def _convolution(x: NDArray[Any], weight: NDArray[Any], stride: int, padding: int) -> list[list[Fraction]]:
    """Exact sums: one list an output channel, over samples and positions. The values become integers first."""
    (whole_x, unit_x), (whole_w, unit_w) = _integers(x), _integers(weight)
    n, channels, height, width = x.shape
    # numpy.pad would pad with its own integers, which overflow where Python's do not
    padded = np.zeros((n, channels, height + 2 * padding, width + 2 * padding), object)
    padded[:, :, padding : padding + height, padding : padding + width] = whole_x
    patches = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(2, 3))
    patches = patches[:, :, ::stride, ::stride].transpose(0, 2, 3, 1, 4, 5).reshape(-1, weight[0].size)
    sums = whole_w.reshape(len(weight), -1) @ patches.T
    return [[unit_x * unit_w * int(value) for value in row] for row in sums]


def _integers(values: NDArray[Any]) -> tuple[NDArray[Any], Fraction]:
    """Python integers in an object array, and the power of two that they are multiples of."""
    ratios = [value.as_integer_ratio() for value in values.ravel().tolist()]
    unit = max((q for _, q in ratios), default=1)
    whole = np.empty(len(ratios), object)
    whole[:] = [p * (unit // q) for p, q in ratios]
    return whole.reshape(values.shape), Fraction(1, unit)
