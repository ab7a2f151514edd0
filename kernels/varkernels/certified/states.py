"""The sums about a shift c that a certified pass carries in LANES lanes: s = sum (x - c) and q = sum (x - c)^2.

Values of at most 24 bits: s and q in float64, a tuple of two vectors. float64 values: s and q as double-doubles, a
tuple (s_high, s_low, q_high, q_low). What each function does is found by the length of the tuple, so that the loops
over rows are written once. The bounds of what is done here stand in `deciding`.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import overload

from ..formulas.errorfree import fast_two_sum, two_sum
from ..inlining import inline
from ..simd import splat, total, vector_fma
from ..smallfloat import fma_float
from .terms import add_pairs
from .vectors import fetch, first_lane, rotate1, rotate2, rotate4, store

__all__ = ["empty", "keep", "kept", "merged", "multiply_pairs", "put", "step"]


@inline
def multiply_pairs(ah, al, bh, bl):  # type: ignore[no-untyped-def]
    """The product of two double-doubles, at most 8 u^2 of it off: al bl, u^2, is left out, and the roundings of the two
    mixed products, of their sum and of the last sum are u^2, u^2, 2 u^2 and 3 u^2."""
    p = ah * bh
    return fast_two_sum(p, fma_float(ah, bh, -p) + (ah * bl + al * bh))


def _within(name: str) -> Any:
    def function(*of: Any) -> Any:
        raise RuntimeError(f"{name}() runs within compiled kernels only")

    function.__name__ = name
    return function


empty, step, merged = _within("empty"), _within("step"), _within("merged")
put, keep, kept = _within("put"), _within("keep"), _within("kept")


@overload(empty)
def _empty(view):  # type: ignore[no-untyped-def]
    """The sums of no values of a view."""
    if view.dtype == types.float64:
        return lambda view: (splat(0.0), splat(0.0), splat(0.0), splat(0.0))
    return lambda view: (splat(0.0), splat(0.0))


@inline
def _step_narrow(x, c, state):  # type: ignore[no-untyped-def]
    d = x - c
    return state[0] + d, vector_fma(d, d, state[1])


@inline
def _step_wide(x, c, state):  # type: ignore[no-untyped-def]
    sh, sl, qh, ql = state
    d = x - c
    bb = d - x
    dl = (x - (d - bb)) - (c + bb)  # d + dl = x - c exactly
    t = sh + d
    bb = t - sh
    sl = sl + (((sh - (t - bb)) + (d - bb)) + dl)
    p = d * d
    w = qh + p
    bb = w - qh
    error = (qh - (w - bb)) + (p - bb)
    low = vector_fma(d + d, dl, vector_fma(d, d, splat(0.0) - p))
    return t, sl, w, ql + (error + low)


@overload(step)
def _step(x, c, state):  # type: ignore[no-untyped-def]
    """The sums with one value more in each lane."""
    return _step_narrow if len(state) == 2 else _step_wide


@inline
def _merged_narrow(a, b):  # type: ignore[no-untyped-def]
    return a[0] + b[0], a[1] + b[1]


@inline
def _merged_wide(a, b):  # type: ignore[no-untyped-def]
    a0, a1 = two_sum(a[0], a[1])
    b0, b1 = two_sum(b[0], b[1])
    a2, a3 = two_sum(a[2], a[3])
    b2, b3 = two_sum(b[2], b[3])
    sh, sl = add_pairs(a0, a1, b0, b1)
    qh, ql = add_pairs(a2, a3, b2, b3)
    return sh, sl, qh, ql


@overload(merged)
def _merged(a, b):  # type: ignore[no-untyped-def]
    """The sums of both, lane by lane."""
    return _merged_narrow if len(a) == 2 else _merged_wide


@inline
def _put_narrow(sums, j, state):  # type: ignore[no-untyped-def]
    sums[1, j], sums[2, j] = total(state[0]), total(state[1])


@inline
def _folded(h, low):  # type: ignore[no-untyped-def]
    h, low = add_pairs(h, low, rotate4(h), rotate4(low))
    h, low = add_pairs(h, low, rotate2(h), rotate2(low))
    h, low = add_pairs(h, low, rotate1(h), rotate1(low))
    return first_lane(h), first_lane(low)


@inline
def _put_wide(sums, j, state):  # type: ignore[no-untyped-def]
    h, low = two_sum(state[0], state[1])
    sums[1, j], sums[2, j] = _folded(h, low)
    h, low = two_sum(state[2], state[3])
    sums[3, j], sums[4, j] = _folded(h, low)


@overload(put)
def _put(sums, j, state):  # type: ignore[no-untyped-def]
    """All lanes together, in sums[1:, j]."""
    return _put_narrow if len(state) == 2 else _put_wide


@inline
def _keep_narrow(sums, j, state):  # type: ignore[no-untyped-def]
    store(sums, 1, j, state[0])
    store(sums, 2, j, state[1])


@inline
def _keep_wide(sums, j, state):  # type: ignore[no-untyped-def]
    store(sums, 1, j, state[0])
    store(sums, 2, j, state[1])
    store(sums, 3, j, state[2])
    store(sums, 4, j, state[3])


@overload(keep)
def _keep(sums, j, state):  # type: ignore[no-untyped-def]
    """Each lane for itself, in sums[1:, j : j + LANES]."""
    return _keep_narrow if len(state) == 2 else _keep_wide


@inline
def _kept_narrow(sums, j, state):  # type: ignore[no-untyped-def]
    return fetch(sums, 1, j), fetch(sums, 2, j)


@inline
def _kept_wide(sums, j, state):  # type: ignore[no-untyped-def]
    return fetch(sums, 1, j), fetch(sums, 2, j), fetch(sums, 3, j), fetch(sums, 4, j)


@overload(kept)
def _kept(sums, j, state):  # type: ignore[no-untyped-def]
    """What `keep` has stored; `state` says what kind of sums they are."""
    return _kept_narrow if len(state) == 2 else _kept_wide
