"""Two-pass in double-double arithmetic: a number is a sum high + low, never evaluated, of two floats.

    first:  (c, c') = (sum x) / n        second:  M2 = sum ((x - c) - c')^2

About twice the accumulator's precision, by error-free transformations; the only formula here that asks for an
fma.
Dekker 1971, doi:10.1007/BF01397083; the sum and product: Joldes, Muller, Popescu 2017, doi:10.1145/3121432
(algorithms 4 to 6).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..inlining import inline
from .base import Formula, like
from .bounding import Bound, Setting, bounded
from .errorfree import fast_two_sum, fma, two_prod, two_sum


@inline
def add(high, low, h, l):  # type: ignore[no-untyped-def]  # noqa: E741
    """(high + low) + (h + l), normalised."""
    s, e = two_sum(high, h)
    t, f = two_sum(low, l)
    s, e = fast_two_sum(s, e + t)
    return fast_two_sum(s, e + f)


class DoubleDoubleSum(NamedTuple):
    high: Any
    low: Any


def sum_update(state, n, x):  # type: ignore[no-untyped-def]
    s, e = two_sum(state.high, x)
    high, low = fast_two_sum(s, e + state.low)
    return DoubleDoubleSum(high, low)


def sum_merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    high, low = add(a.high, a.low, b.high, b.low)
    return DoubleDoubleSum(high, low)


def sum_read(state, n):  # type: ignore[no-untyped-def]
    k = like(state.high, n)
    q = state.high / k
    r = fma(-q, k, state.high)  # exact
    return fast_two_sum(q, (r + state.low) / k)


class DoubleDouble(NamedTuple):
    c: Any
    cc: Any
    high: Any
    low: Any


def start(state, high, low):  # type: ignore[no-untyped-def]
    return DoubleDouble(high, low, state.high, state.low)


def update(state, n, x):  # type: ignore[no-untyped-def]
    s, e = two_sum(x, -state.c)
    d, dd = fast_two_sum(s, e - state.cc)
    p, r = two_prod(d, d)
    t = d * dd
    high, low = add(state.high, state.low, p, r + (t + t))
    return DoubleDouble(state.c, state.cc, high, low)


def merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    high, low = add(a.high, a.low, b.high, b.low)
    return DoubleDouble(a.c, a.cc, high, low)


def read(state, n):  # type: ignore[no-untyped-def]
    return state.c, state.high


DOUBLE_DOUBLE_MEAN = Formula(
    name="double_double_mean",
    title="mean in double-double",
    summary="The double-double sum of the values divided by their count: the first sweep of double_double.",
    source="Dekker 1971, doi:10.1007/BF01397083",
    state=DoubleDoubleSum,
    update=sum_update,
    read=sum_read,
    merge=sum_merge,
)


def bound(a: Setting) -> Bound:
    """Sums err by 12 u^2 an addition (Joldes, Muller, Popescu 2017, doi:10.1145/3121432, have 3 u^2 for
    normalised operands), a deviation (x - c) - c' by u^2 (|x - c| + |c|), its square by 10 u^2; the answers
    are the high parts: u."""
    u = a.u
    u2 = u * u
    total = a.phi(a.h, 12 * u2)
    mean = (total + (1 + total) * (8 * u2 + 2 * u * a.c)) * np.sqrt(a.q / a.n) + 4 * a.eta1
    qc = a.s + a.n * mean**2
    deviations = 1.1 * u2 * (np.sqrt(qc) + a.root_q + np.sqrt(a.n) * mean)
    e = np.sqrt(a.n) * mean + deviations + 4 * a.n * a.eta1
    off = 2 * a.root_s * e + e**2
    rounding = a.phi(a.h + 4, 12 * u2) + 10 * u2
    m2 = off + rounding * (a.s + off)
    m2 = m2 + u * (a.s + m2) + 8 * a.n * (1 + rounding) * a.eta2
    ok = a.within(2 * np.sqrt(a.n * a.q) * (1 + total), 2 * (a.s + m2))
    return bounded(mean + u * (a.rows.mean + mean), m2, ok)


DOUBLE_DOUBLE = Formula(
    name="double_double",
    title="double-double",
    summary=(
        "Two-pass with twice the accumulator's precision in every step; the slowest and nearly always exact to an ulp."
    ),
    source="Dekker 1971, doi:10.1007/BF01397083; Joldes, Muller, Popescu 2017, doi:10.1145/3121432",
    state=DoubleDouble,
    update=update,
    read=read,
    merge=merge,
    start=start,
    centre=DOUBLE_DOUBLE_MEAN,
    bound=bound,
    place=120,
)
