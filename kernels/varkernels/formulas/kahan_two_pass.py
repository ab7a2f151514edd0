"""Two-pass, both sums with Kahan's compensation.

    y = v - e        t = s + y        e <- (t - s) - y        s <- t

s - e is the sum, kept to about two units roundoff however many values there are, as long as the partial sums
do not cancel.
Kahan 1965, doi:10.1145/363707.363723; Higham 2002, Accuracy and Stability, section 4.3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..jit import inline
from .base import Formula, like


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
)
