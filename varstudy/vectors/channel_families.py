"""Feature maps for group, instance and batch norm, gradients, and the parts of a synchronised batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .families import OFFSETS, drifting, one_step
from .recipes import Maker, Recipe

__all__ = ["gradient_families", "map_families", "merge_families"]

_SHAPES = ((2, 6, 3, 5), (1, 4, 7, 7), (3, 8, 1, 2), (2, 12, 9), (2, 6, 2, 3, 2))


def map_families(maker: Maker, norm: str, full: bool = False) -> Iterator[Recipe]:
    """Inputs of a norm with channels: each channel has a mean and a scale of its own."""
    for recipe in _maps(maker, norm, full):
        c = recipe.x.shape[1]
        groups = recipe.groups or (2 if norm == "group" else 0)
        yield recipe.using(weight=maker.scale(c), bias=maker.shift(c), groups=groups if norm == "group" else 0)


def _own(maker: Maker, shape: tuple[int, ...], offset: float = 0.5) -> Any:
    """Normal values, scaled and shifted channel by channel."""
    spatial = (1,) * (len(shape) - 2)
    level = offset + maker.whole(9, 1, shape[1]) / 4
    spread = 1 + maker.whole(5, 1, shape[1]) / 2
    return level.reshape(1, -1, *spatial) + spread.reshape(1, -1, *spatial) * maker.normal(*shape)


def _maps(maker: Maker, norm: str, full: bool) -> Iterator[Recipe]:
    larger = ((4, 32, 14, 14), (8, 96, 5, 5), (2, 64, 33, 3)) if full else ()
    for shape in (*_SHAPES, *larger):
        name = "x".join(map(str, shape))
        yield Recipe(
            f"map-{name}", f"a map of {name}: channels of different mean and scale", maker.put(_own(maker, shape))
        )
    for shape in ((2, 8, 3, 3), (1, 6, 5, 2)):
        name = "x".join(map(str, shape))
        why = "channels are last in memory: the values of a channel or a group do not lie together"
        x = maker.put(_own(maker, shape))
        yield Recipe(f"channels-last-{name}", why, x, memory="channels-last", groups=2)
    for offset in OFFSETS[maker.fmt.name][1:]:
        x = offset + maker.normal(2, 4, 4, 5)
        yield Recipe(f"offset-{offset}", f"a mean of {offset} deviations", maker.put(x))
    x = one_step(maker, 8, 20).reshape(2, 4, 4, 5)
    why = "one value of each channel differs, by the least that shows: E[x^2] - E[x]^2 cancels"
    yield Recipe("one-step", why, maker.put(np.concatenate([x[:1], x[:1]]) if norm == "batch" else x), 1e-12, groups=4)
    for epsilon in (1e-12, 1e-5, 0.1):
        x = float(np.sqrt(epsilon)) * (0.5 + maker.normal(2, 4, 3, 4))
        yield Recipe(f"epsilon-{epsilon:g}", f"variances about an epsilon of {epsilon:g}", maker.put(x), epsilon)
    x = _own(maker, (2, 4, 3, 3))
    x[:, :2] = 3.0
    yield Recipe("constant", "constant channels: the answer is the bias", maker.put(x))
    x = _own(maker, (3, 4, 3, 3))
    x[1, 2, 0, 1] = np.nan
    yield Recipe("not-finite", "a NaN in one channel of one sample: the other rows must not change", maker.put(x))
    top = 20000.0 if maker.fmt.name == "float16" else 2.0**50
    x = top * (1.5 + 0.5 * np.clip(maker.normal(2, 4, 3, 4), -2, 2))
    yield Recipe("large", "large values: sums and squares are beyond float16", maker.put(x))
    if norm == "group":
        for groups in (1, 3, 6):
            yield Recipe(
                f"groups-{groups}",
                f"{groups} groups of 6 channels",
                maker.put(_own(maker, (2, 6, 2, 3))),
                groups=groups,
            )
    if norm == "batch":
        for n in (2, 33, 257):
            yield Recipe(f"table-{n}", f"a table of {n} rows", maker.put(_own(maker, (n, 3))))
        tile = maker.put(_own(maker, (32, 2)))
        x = np.concatenate([tile] * 157)[:5000]
        yield Recipe("table-5000", "5000 rows: the sums are long", x, cycle=(0, 64))
    yield from _long_maps(maker, norm)


def _long_maps(maker: Maker, norm: str) -> Iterator[Recipe]:
    """65,600 values in each row of the statistics; for batch norm a table, and a map whose channels may be last."""
    why = "long rows with a large mean: one running float32 sum drifts"
    if norm != "batch":
        x = np.resize(maker.put(drifting(maker, 111)), (1, 1, 65600))
        yield Recipe("long-map", why, x, groups=1, cycle=(0, 111))
        return
    for name, shape, period in (("long-table", (65600, 2), 222), ("long-map", (32800, 2, 1, 2), 224)):
        x = np.resize(maker.put(drifting(maker, period)), shape)
        yield Recipe(name, why, x, cycle=(0, period))


def gradient_families(maker: Maker, norm: str, full: bool = False) -> Iterator[Recipe]:
    """Inputs of a backward pass: dy has a mean, so that the sums of dbias grow."""
    table = norm in ("layer", "rms")
    rows = 16 if full else 4
    shapes = (
        ((5, 1), (rows, 2), (rows, 3), (rows, 33), (3, 129), (65, 5))
        if table
        else ((2, 6, 3, 5), (3, 4, 7), (2, 4, 2, 2, 3))
    )
    recipes = []
    for shape in shapes:
        name = "x".join(map(str, shape))
        recipes.append(Recipe(f"shape-{name}", f"a backward pass of {name}", maker.put(0.5 + maker.normal(*shape))))
    shape = (4, 24) if table else (2, 4, 3, 4)
    for offset in OFFSETS[maker.fmt.name][1:3]:
        x = offset + maker.normal(*shape)
        recipes.append(Recipe(f"offset-{offset}", f"a mean of {offset} deviations", maker.put(x)))
    x = 0.003 * maker.normal(*shape)
    recipes.append(Recipe("epsilon", "variances about epsilon", maker.put(x)))
    x = maker.normal(*shape)
    level = maker.put(np.ones(shape))
    recipes.append(Recipe("dy-constant", "dy is constant: the terms with its mean cancel it", maker.put(x), dy=level))
    steep = maker.put(30 + maker.normal(*shape))
    recipes.append(Recipe("dy-offset", "dy has a mean of 30 deviations", maker.put(x), dy=steep))
    if not table:
        yield from (_with_gradient(maker, each, norm) for each in recipes)
        return
    recipes.append(Recipe("pitch", "rows with other numbers between them", maker.put(x), memory="pitch"))
    x = maker.normal(5, 24)
    x[2, 3] = np.nan
    recipes.append(Recipe("not-finite", "a NaN in one row: the others' dx must not change", maker.put(x)))
    for count in (257, 4097):
        at = np.arange(count) % 32
        x, dy = maker.put(maker.normal(32, 4)), maker.put(0.1 + 0.5 * maker.normal(32, 4))
        why = f"{count} rows: sums of dweight and dbias in the storage format lose most of their terms"
        recipes.append(Recipe(f"rows-{count}", why, x[at], dy=dy[at], cycle=(0, 128)))
    yield from (_with_gradient(maker, each, norm) for each in recipes)


def _with_gradient(maker: Maker, recipe: Recipe, norm: str) -> Recipe:
    x, groups = recipe.x, 2 if norm == "group" else 0
    dy = recipe.dy if recipe.dy is not None else maker.put(0.1 + 0.5 * maker.normal(*x.shape))
    return recipe.using(dy=dy, weight=maker.scale(x.shape[1]), groups=groups)


def merge_families(maker: Maker) -> Iterator[tuple[str, str, NDArray[np.int64], NDArray[Any], NDArray[Any]]]:
    """(family, why, counts, means, variances) of parts of a batch that are merged."""
    for name, why, counts in (
        ("equal", "two equal parts", [8, 8]),
        ("unequal", "parts of different size: the counts are weights", [3, 100, 17]),
        ("one-value", "a part of one value, which has no variance of its own", [1, 1000]),
        ("many", "64 parts", list(range(1, 65))),
    ):
        parts = len(counts)
        means = maker.put(4 * maker.normal(parts, 5))
        variances = maker.put(1 + 0.5 * np.abs(maker.normal(parts, 5)))
        if name == "one-value":
            variances[0] = 0
        yield name, why, np.array(counts), means, variances
    means = maker.put(1000 + maker.normal(4, 5))
    yield (
        "offset",
        "means of 1000 deviations: E[x^2] - E[x]^2 cancels",
        np.array([2, 30, 5, 7]),
        means,
        maker.put(1 + 0 * means.astype(float)),
    )
