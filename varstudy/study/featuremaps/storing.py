"""Rounding to a storage format, once, and the layouts of arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Protocol

import numpy as np

from varkernels.formats import FORMATS
from varkernels.layouts import Layout
from varkernels.rounding import round_to

from .case import Array, Generator
from .streams import Floats, Stream

__all__ = ["BLOCK", "Maker", "channels", "fill", "generator", "indices", "lines", "round_fraction", "store"]

BLOCK = 1 << 15
"""Values made at a time: they stay in cache, and a large array needs no float64 copy of itself."""


class Maker(Protocol):
    """Makes `rows` rows of `length` values each, in a storage format."""

    def __call__(self, storage: str, stream: Stream, rows: int, length: int) -> Array: ...


def store(values: Floats, storage: str, *, overflow: bool = False) -> Array:
    """`values` rounded to a storage format: to nearest, ties to even, in one rounding.

    Raises
    ------
    ValueError
        A finite value became infinite, and `overflow` does not allow that.
    """
    exact = np.asarray(values, np.float64)
    stored = FORMATS[storage].rounded(exact)
    if not overflow and bool((np.isfinite(exact) & ~np.isfinite(stored)).any()):
        raise ValueError(f"values up to {np.nanmax(np.abs(exact)):g} overflow {storage}")
    return stored


def round_fraction(value: Fraction, storage: str) -> float:
    """The number of a storage format nearest to an exact rational, ties to even, as a float that holds it
    exactly.

    Raises
    ------
    ValueError
        The rounded number is beyond the format's largest.
    """
    rounded = float(round_to(value, storage))
    if math.isinf(rounded):
        raise ValueError(f"{float(round_to(value, 'float64')):g} overflows {storage}")
    return rounded


def indices(start: int, stop: int) -> Floats:
    """start, start + 1 .. stop - 1 as float64."""
    return np.arange(start, stop, dtype=np.float64)


def fill(storage: str, rows: int, length: int, values: Callable[[int, int, int], Floats]) -> Array:
    """Rows filled block by block: `values(row, start, stop)` gives a block, asked for in order."""
    out = np.empty((rows, length), FORMATS[storage].dtype)
    for row in range(rows):
        for start in range(0, length, BLOCK):
            stop = min(start + BLOCK, length)
            out[row, start:stop] = store(values(row, start, stop), storage)
    return out


def channels(storage: str, stream: Stream, *, maker: Maker, shape: tuple[int, ...], axis: int) -> Array:
    """A map whose CHANNELS, along an axis, are the maker's rows, so that batch norm reduces each row in its order."""
    others = shape[:axis] + shape[axis + 1 :]
    rows = maker(storage, stream, shape[axis], math.prod(others))
    return np.ascontiguousarray(np.moveaxis(rows.reshape(-1, *others), 0, axis))


def lines(storage: str, stream: Stream, *, maker: Maker, shape: tuple[int, ...], rows: int) -> Array:
    """An array of any shape that holds rows of the maker in memory order."""
    return maker(storage, stream, rows, math.prod(shape) // rows).reshape(shape)


def generator(maker: Maker, norm: str, shape: tuple[int, ...], layout: str) -> Generator:
    """What fills an array with a maker's rows, so that a norm reduces each: its channels for batch norm, the lines of
    an (N, C) array for layer norm, else the whole array as one row."""
    if norm == "batch":
        return partial(channels, maker=maker, shape=shape, axis=Layout(layout).channel_axis)
    return partial(lines, maker=maker, shape=shape, rows=shape[0] if norm == "layer" and layout == "NC" else 1)
