"""Orders of other libraries that the study's algorithms do not have, so that a function can be told by them.

Written here from what the libraries' sources do, compiled as our kernels are, and claimed for a function only where
every row's bits agree.

``numpy's pairwise``: a sum of at most 128 values in eight accumulators, and longer ones halved (at a multiple of
eight); numpy/_core/src/umath/loops_utils.h.src. ``mean of squares``: E[x^2] - E[x]^2, each mean divided by itself.
``buffered``: numpy converts 8,192 values at a time where it sums in a wider format, and adds the parts one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["schemes"]

Array = NDArray[Any]
BUFFER = 8192


@cache
def _sums() -> tuple[Callable[[Array], Any], Callable[[Array], Any]]:
    """Sums of an array in its own format: one after the other, and numpy's pairwise."""
    from varkernels.jit import fresh_njit  # noqa: PLC0415 - Numba takes half a second, and most runs do without

    @fresh_njit
    def running(x):  # type: ignore[no-untyped-def]
        s = x.dtype.type(0)
        for v in x:
            s += v
        return s

    @fresh_njit
    def halved(x):  # type: ignore[no-untyped-def]
        n = len(x)
        if n > 128:
            half = n // 2
            half -= half % 8
            return halved(x[:half]) + halved(x[half:])
        s = x.dtype.type(0)
        if n < 8:
            for v in x:
                s += v
            return s
        r0, r1, r2, r3, r4, r5, r6, r7 = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
        whole = n - n % 8
        for i in range(8, whole, 8):
            r0 += x[i]
            r1 += x[i + 1]
            r2 += x[i + 2]
            r3 += x[i + 3]
            r4 += x[i + 4]
            r5 += x[i + 5]
            r6 += x[i + 6]
            r7 += x[i + 7]
        s = ((r0 + r1) + (r2 + r3)) + ((r4 + r5) + (r6 + r7))
        for i in range(whole, n):
            s += x[i]
        return s

    def pairwise(x: Array) -> Any:
        return x.dtype.type(halved(x))

    return running, pairwise


def _buffered(plain: Callable[[Array], Any], x: Array, wide: Any) -> Any:
    """A sum in a wider format as numpy takes it: part after part of the buffer."""
    s = wide(0)
    for k in range(0, len(x), BUFFER):
        s = wide(s + plain(x[k : k + BUFFER].astype(wide)))
    return s


def _two_pass(mean: Any, x: Array, total: Callable[[Array], Any], ddof: int) -> float:
    off = x - mean
    return float(off.dtype.type(total(off * off) / off.dtype.type(len(x) - ddof)))


def schemes(x: Array, wide: Any, ddof: int) -> Iterator[tuple[str, float]]:
    """What each scheme answers for a row, its values widened to `wide` (numpy.float32 or float64) where they are used.

    The names say formula and order, and the formats where there is more than one; else the caller adds it.
    """
    running, pairwise = _sums()
    n = len(x)
    if not n > ddof:
        return
    v = x.astype(wide)
    count = wide(n)
    with np.errstate(all="ignore"):
        if x.dtype == np.float16 and wide is np.float32:
            # Every array in float16, the sums within a reduction in float32.
            half = np.float16
            from_mean = x - half(half(pairwise(v)) / np.float64(n))
            squares = half(pairwise((from_mean * from_mean).astype(np.float32)))
            yield (
                "two_pass, numpy's pairwise, arrays in float16, sums in float32",
                float(half(squares / np.float64(n - ddof))),
            )
        for order, total in (("running", running), ("numpy's pairwise", pairwise)):
            s, q = wide(total(v)), wide(total(v * v))
            mean = wide(s / count)
            if order != "running":
                yield f"two_pass, {order}", _two_pass(mean, v, total, ddof)
                if x.dtype.itemsize < np.dtype(wide).itemsize:
                    buffered = wide(_buffered(total, x, wide) / count)
                    yield f"two_pass, {order}, buffered mean", _two_pass(buffered, v, total, ddof)
                    off = v - buffered
                    parts = _buffered(total, off * off, wide)
                    yield f"two_pass, {order}, buffered", float(wide(parts / wide(n - ddof)))
                yield f"naive, {order}", float(wide(wide(q - wide(wide(s * s) / count)) / wide(n - ddof)))
            inverse = wide(wide(1) / count)
            by_inverse = v - wide(s * inverse)
            last = wide(wide(1) / wide(n - ddof))
            yield f"two_pass, {order}, by 1/n", float(wide(wide(total(by_inverse * by_inverse)) * last))
            if ddof == 0:
                yield f"mean of squares, {order}", float(wide(wide(q / count) - wide(mean * mean)))
            else:
                yield (
                    f"mean of squares, {order}",
                    float(wide(wide(wide(q / count) - wide(mean * mean)) * wide(count / wide(n - ddof)))),
                )
            if x.dtype == np.float32 and wide is np.float64:
                narrow = np.float32(total(x) / np.float32(n))
                yield f"two_pass, {order}, mean in float32, squares in float64", _two_pass(wide(narrow), v, total, ddof)
                off = x - narrow
                squares32 = (off * off).astype(wide)
                yield (
                    f"two_pass, {order}, squares in float32, their sum in float64",
                    float(wide(total(squares32) / wide(n - ddof))),
                )
