"""One channel of a norm as an exact affine map, and the arrays that it is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varkernels.formats import FORMATS, Format
from varkernels.rounding import round_to

__all__ = ["Channel", "channels_of", "numbers", "row"]

# Bits of the first enclosure beyond the format's own; doubled until it is tight enough.
GUARD = 16


@dataclass(frozen=True)
class Channel:
    """The map z -> (z - mean) a + shift with a = sign sqrt(square), exact."""

    square: Fraction
    sign: int
    mean: Fraction
    shift: Fraction

    def slope(self, bits: int) -> tuple[Fraction, Fraction]:
        """Two rationals that enclose a, `bits` bits long; equal where it is rational."""
        if not self.square:
            return Fraction(0), Fraction(0)
        p, q = self.square.numerator, self.square.denominator
        exact = math.isqrt(p), math.isqrt(q)
        if exact[0] ** 2 == p and exact[1] ** 2 == q:
            root = self.sign * Fraction(*exact)
            return root, root
        shift = bits + (q.bit_length() - p.bit_length()) // 2 + 1
        low = math.isqrt((p << 2 * shift) // q if shift >= 0 else p // (q << -2 * shift))
        unit = Fraction(2) ** -shift
        ends = self.sign * low * unit, self.sign * (low + 1) * unit
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
    means, variances = row("mean", mean, count, 0), row("var", var, count, 1)
    try:
        added = Fraction(0) if epsilon is None else Fraction(*_ratio(epsilon))
    except (TypeError, ValueError, OverflowError, AttributeError):
        raise ValueError(f"epsilon={epsilon!r}: give a finite number, such as 1e-5") from None
    channels = []
    for o, (s, b, m, v) in enumerate(zip(scales, shifts, means, variances, strict=True)):
        if v + added <= 0 or v < 0:
            raise ValueError(
                f"channel {o} has variance {float(v)!r} and epsilon {float(added)!r}: its root does not exist; give "
                "variances of 0 or more whose sum with epsilon is positive"
            )
        channels.append(Channel(s * s / (v + added), -1 if s < 0 else 1, m, b))
    return channels


def _ratio(value: Any) -> tuple[int, int]:
    p, q = value.as_integer_ratio()
    return int(p), int(q)
