"""Two-pass, both sums with Kahan's compensation.

    y = v - e        t = s + y        e <- (t - s) - y        s <- t

s - e is the sum, kept to about two units roundoff however many values there are, as long as the partial sums
do not cancel.
Kahan 1965, doi:10.1145/363707.363723; Higham 2002, Accuracy and Stability, section 4.3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..inlining import inline
from .base import Formula, like
from .bounding import Bound, Setting, compensated_bound


@inline
def add(s, e, v):  # type: ignore[no-untyped-def]
    """(s, e) after one more term v."""
    y = v - e
    t = s + y
    return t, (t - s) - y


class KahanSum(NamedTuple):
    s: Any
    e: Any


def sum_update(state, n, x):  # type: ignore[no-untyped-def]
    s, e = add(state.s, state.e, x)
    return KahanSum(s, e)


def sum_merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    s, e = add(a.s, a.e + b.e, b.s)
    return KahanSum(s, e)


def sum_read(state, n):  # type: ignore[no-untyped-def]
    return state.s / like(state.s, n), state.s - state.s


class KahanTwoPass(NamedTuple):
    c: Any
    s: Any
    e: Any


def start(state, high, low):  # type: ignore[no-untyped-def]
    return KahanTwoPass(high, state.s, state.e)


def update(state, n, x):  # type: ignore[no-untyped-def]
    d = x - state.c
    s, e = add(state.s, state.e, d * d)
    return KahanTwoPass(state.c, s, e)


def merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    s, e = add(a.s, a.e + b.e, b.s)
    return KahanTwoPass(a.c, s, e)


def read(state, n):  # type: ignore[no-untyped-def]
    return state.c, state.s


KAHAN_MEAN = Formula(
    name="kahan_mean",
    title="mean by Kahan's sum",
    summary="The compensated sum of the values divided by their count: the first sweep of kahan_two_pass.",
    source="Kahan 1965, doi:10.1145/363707.363723",
    state=KahanSum,
    update=sum_update,
    read=sum_read,
    merge=sum_merge,
)


def bound(a: Setting) -> Bound:
    """With e the compensation, s - e errs by u |v - e| and (two subtractions) by u |v| + 2 u^2 |s| a step, and
    |e| <= 4 u max |s|: together less than 6.1 u + 11 n u^2, as long as n u^2 is small; a merge adds 2.1 u a level."""
    u = a.u
    if a.b * u * u > 1 / 256 or a.m * u > 1 / 256:
        return compensated_bound(a, np.inf)
    return compensated_bound(a, 1.2 * (6.1 * u + 2.1 * u * a.m + 11 * a.b * u * u + 40 * a.m * u * u))


KAHAN_TWO_PASS = Formula(
    name="kahan_two_pass",
    title="Kahan two-pass",
    summary=(
        "Two-pass with Kahan's compensation in both sums: an error that hardly grows with n, at four times "
        "the additions."
    ),
    source="Kahan 1965, doi:10.1145/363707.363723",
    state=KahanTwoPass,
    update=update,
    read=read,
    merge=merge,
    start=start,
    centre=KAHAN_MEAN,
    bound=bound,
    cuda=("block4", "grid4"),
    place=100,
)
