"""Rows that told kernels apart: for layer norm, RMS norm and the variance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from varkernels.norms.forward import norm_forward

from .recipes import Maker, Recipe

__all__ = ["OFFSETS", "drifting", "one_step", "row_families"]

# Means in deviations that the format still resolves.
OFFSETS = {
    "float16": (3, 30, 300, 1500),
    "bfloat16": (3, 30, 150),
    "float32": (3, 30, 300, 3000),
    "float64": (3, 300, 30000, 10**7),
}
_LENGTHS = (1, 2, 3, 5, 31, 33, 100, 129, 257)
_MORE = (7, 8, 15, 16, 17, 63, 64, 65, 127, 128, 255, 256, 511, 512, 513, 1000, 1023, 1024, 2047, 2048, 4095, 4097)
# n and the period with which the row repeats.
_LONG = ((1025, 100), (2049, 128), (5000, 96), (65600, 99), (70001, 128))


def row_families(maker: Maker, full: bool = False) -> Iterator[Recipe]:
    """Inputs of layer norm: rows in memory order, with weight and bias."""
    for recipe in [*_lengths(maker, full), *_moments(maker, full), *_ranges(maker), *_places(maker)]:
        n = recipe.x.shape[1]
        weight, bias = recipe.weight, recipe.bias
        if weight is None:
            weight, bias = maker.scale(n), maker.shift(n)
            if recipe.cycle[1] and recipe.cycle[1] < n:
                head, period = recipe.cycle
                at = _cycled(n, head, period)
                weight, bias = weight[at], bias[at]
        yield recipe.using(weight=weight, bias=bias)


def _cycled(size: int, head: int, period: int) -> Any:
    """From a place in memory to the place of the value that it repeats."""
    at = np.arange(size)
    return np.where(at < head, at, head + (at - head) % period)


def _lengths(maker: Maker, full: bool) -> Iterator[Recipe]:
    for n in (*_LENGTHS, *(_MORE if full else ())):
        why = f"rows of {n}: a length that vectors, warps and blocks do not divide" if n > 3 else f"rows of {n}"
        yield Recipe(f"length-{n}", why, maker.put(0.5 + maker.normal(8 if full else 3 if n < 100 else 2, n)))
    for n, period in _LONG:
        x = maker.put(0.5 + maker.normal(1, period))[:, _cycled(n, 0, period)]
        yield Recipe(f"long-{n}", f"one row of {n}: more than a block of threads takes at once", x, cycle=(0, period))
    x = maker.put(drifting(maker, 111))[:, _cycled(65600, 0, 111)]
    yield Recipe("long-offset", "a long row with a large mean: one running float32 sum drifts", x, cycle=(0, 111))
    for rows in (64, 65537):
        tile = maker.put(0.5 + 0.5 * maker.normal(16, 3) + maker.whole(5, 16, 1))
        x = tile[_cycled(rows, 0, 16)]
        why = f"{rows} rows: more than some launches have blocks" if rows > 2**16 else "64 short rows"
        yield Recipe(f"rows-{rows}", why, x, cycle=(0, 48))


def drifting(maker: Maker, n: int) -> Any:
    """Multiples of 2^-15 that are all 31/64 above one of 2^-9: a sum of 2^14 to 2^15 loses that with each addition."""
    return (252 + maker.whole(7, 1, n) + 31 / 64) * 2.0**-9


def _moments(maker: Maker, full: bool) -> Iterator[Recipe]:
    rows = 16 if full else 4
    for offset in OFFSETS[maker.fmt.name]:
        yield Recipe(
            f"offset-{offset}", f"a mean of {offset} deviations: E[x^2] - E[x]^2 cancels, and so does a rounded mean",
            maker.put(offset + maker.normal(rows, 45)),
        )  # fmt: skip
    level = np.array([[0.0], [100], [-3], [7], [0.25], [-40]])
    spread = np.array([[1.0], [1], [0.01], [50], [0.001], [4]])
    yield Recipe(
        "mixed-rows", "rows of different mean and scale: a row must not use the statistics of another",
        maker.put(level + spread * maker.normal(6, 40)),
    )  # fmt: skip
    for epsilon in (1e-12, 1e-8, 1e-5, 1e-3, 0.1):
        size = np.array([[0.3], [1.0], [10.0]]) * _root(epsilon)
        yield Recipe(
            f"epsilon-{epsilon:g}", f"variances about an epsilon of {epsilon:g}: its place and its format show",
            maker.put(size * (maker.normal(3, 33) + 0.5)), epsilon,
        )  # fmt: skip
    for name, first in (("first", True), ("last", False)):
        x = maker.normal(rows, 48)
        x[:, 0 if first else -1] = [1000.0, -1000.0] * (rows // 2)
        why = f"the {name} value holds nearly all energy: a shift by it, or a lost tail, shows"
        yield Recipe(f"outlier-{name}", why, maker.put(x))
    n, period = 70001, 128
    x = np.concatenate([[[1000.0]], maker.normal(1, period)], axis=1)[:, _cycled(n, 1, period)]
    yield Recipe(
        "outlier-long", f"the first of {n} values is far away: a shift by it cancels", maker.put(x), cycle=(1, period)
    )
    steps = np.arange(100.0)
    yield Recipe("ramp", "a ramp: partial means drift", maker.put(np.stack([steps, 50 - steps, steps / 8 + 3])))
    x = 250 + maker.whole(6, 4, 64)
    yield Recipe("pixels", "whole numbers of 250 to 255, as 8-bit images have", maker.put(x))
    x = one_step(maker, 16, 20)
    yield Recipe(
        "one-step",
        "one value of each row differs, by the least that shows: E[x^2] - E[x]^2 cancels",
        maker.put(x),
        1e-12,
    )
    values = np.array([[0.0], [1], [-0.75], [3], [255]])
    yield Recipe(
        "constant", "constant rows: the variance is 0, the answer is the bias", maker.put(values + np.zeros((5, 33)))
    )


def one_step(maker: Maker, rows: int, n: int) -> Any:
    """Rows of equal numbers of 1 to 2 but for one value, whose variance float32 (float64's: float64) still resolves."""
    grid = min(maker.fmt.precision, 26 if maker.fmt.name == "float64" else 13) - 1
    x = np.repeat(1 + maker.whole(2**grid - 1, rows, 1) * 2.0**-grid, n, axis=1)
    x[np.arange(rows), maker.whole(n, rows).astype(int)] += 2.0**-grid
    return x


def _root(value: float) -> float:
    """A number near the square root, the same on every machine."""
    return float(np.sqrt(np.float64(value)))


def _ranges(maker: Maker) -> Iterator[Recipe]:
    half = maker.fmt.name == "float16"
    top = 20000.0 if half else 2.0 ** (400 if maker.fmt.name == "float64" else 50)
    why = "values near float16's largest: the sum and the squares are beyond it" if half else "large values"
    yield Recipe("large", why, maker.put(top * (1.5 + 0.5 * np.clip(maker.normal(4, 40), -2, 2))))
    if not half:
        yield Recipe(
            "small", "small values and a small epsilon", maker.put(2.0**-50 * (0.5 + maker.normal(4, 40))), 1e-30
        )
        return
    x = (maker.whole(41, 4, 40) - 20) * 2.0**-24
    yield Recipe("subnormal", "subnormal float16 numbers, which must not become 0", maker.put(x), 1e-13)
    weight, bias = maker.put(2.0**-17 * (1 + 0.25 * maker.normal(40))), maker.put(np.zeros(40))
    x = maker.put(maker.normal(4, 40))
    yield Recipe("subnormal-output", "outputs are subnormal float16 numbers", x, weight=weight, bias=bias)


def _places(maker: Maker) -> Iterator[Recipe]:
    x = 0.5 + maker.normal(5, 33)
    x[1, 7], x[3, 32], x[3, 0] = np.nan, np.inf, 1.0
    why = "a NaN in one row, an infinity in another: the rows between them must not change"
    yield Recipe("not-finite", why, maker.put(x))
    x = 2 + maker.normal(5, 37)
    yield Recipe("pitch", "rows with other numbers between them: the stride is not n", maker.put(x), memory="pitch")
    y = norm_forward(maker.put(x), "layer").high
    weight = maker.put(1 + 0.25 * maker.normal(37))
    bias = maker.put(-y[0] * weight.astype(np.float64))
    yield Recipe(
        "cancelled", "scale and bias cancel: every earlier rounding shows", maker.put(x), weight=weight, bias=bias
    )
