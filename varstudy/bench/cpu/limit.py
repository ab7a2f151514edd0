"""The read limit: how fast one reads an array at all, with nothing to do but add what was read.

The array's bytes are taken as float64, whatever its format, and added in four vectors side by side: no conversion, no
second pass, no fastmath. For float32 the sum means nothing, but every byte has been in a register.

The four vectors lie next to each other, or in four places a stride apart, which some machines fetch faster: the limit
is whichever order is faster in the run.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.jit import fresh_njit
from varkernels.simd import LANES, load, splat, total

__all__ = ["STRIDES", "reader"]

# Values between the four places that are read side by side: neighbours, or 256 KiB apart.
STRIDES = (LANES, 2**15)
# Values a thread must have before a second one is worth its start.
_SHARE = 2**17


def _read(view, stride):  # type: ignore[no-untyped-def]
    """The sum of a view (1, 1, n) of float64; the stride is a multiple of LANES."""
    n = view.shape[2]
    whole = n - n % (4 * stride)
    a, b, c, d = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    for block in range(0, whole, 4 * stride):
        i = block
        while i < block + stride:
            a = a + load(view, 0, 0, i)
            b = b + load(view, 0, 0, i + stride)
            c = c + load(view, 0, 0, i + 2 * stride)
            d = d + load(view, 0, 0, i + 3 * stride)
            i += LANES
    i = whole
    while i + LANES <= n:
        a = a + load(view, 0, 0, i)
        i += LANES
    sum_x = total((a + b) + (c + d))
    while i < n:
        sum_x += view[0, 0, i]
        i += 1
    return sum_x


@cache
def _kernel() -> Any:
    return fresh_njit(_read)


def reader(array: NDArray[Any], threads: int = 1, stride: int = LANES) -> Callable[[], float]:
    """A function that reads a contiguous array once, with that many threads, and returns a sum of its bytes.

    Arrays too small to be shared out are read by fewer threads. `stride` is one of `STRIDES`.
    """
    words = array.reshape(-1).view(np.uint8)
    words = words[: words.size - words.size % 8].view(np.float64)
    shares = max(1, min(threads, words.size // _SHARE))
    parts = [part.reshape(1, 1, -1) for part in np.array_split(words, shares)]
    kernel = _kernel()
    if shares == 1:
        (only,) = parts
        return lambda: float(kernel(only, stride))
    pool = ThreadPoolExecutor(shares - 1)

    def read() -> float:
        others = [pool.submit(kernel, part, stride) for part in parts[1:]]
        return float(kernel(parts[0], stride)) + sum(float(each.result()) for each in others)

    return read
