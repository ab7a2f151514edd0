"""Two-pass, both sums with Neumaier's compensation.

    (s, r) = two_sum(s, v)        e <- e + r        the sum is s + e

Neumaier compares |s| and |v| to get the rounding error r; two_sum gets the same r without a branch. The
errors are themselves summed plainly, so that the compensation stagnates in its turn on very long rows.
Neumaier 1974, doi:10.1002/zamm.19740540106.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .base import Formula, like
from .bounding import Bound, Setting, compensated_bound
from .errorfree import two_sum


class NeumaierSum(NamedTuple):
    s: Any
    e: Any


def sum_update(state, n, x):  # type: ignore[no-untyped-def]
    s, r = two_sum(state.s, x)
    return NeumaierSum(s, state.e + r)


def sum_merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    s, r = two_sum(a.s, b.s)
    return NeumaierSum(s, a.e + b.e + r)


def sum_read(state, n):  # type: ignore[no-untyped-def]
    return (state.s + state.e) / like(state.s, n), state.s - state.s


class NeumaierTwoPass(NamedTuple):
    c: Any
    s: Any
    e: Any


def start(state, high, low):  # type: ignore[no-untyped-def]
    return NeumaierTwoPass(high, state.s, state.e)


def update(state, n, x):  # type: ignore[no-untyped-def]
    d = x - state.c
    s, r = two_sum(state.s, d * d)
    return NeumaierTwoPass(state.c, s, state.e + r)


def merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    s, r = two_sum(a.s, b.s)
    return NeumaierTwoPass(a.c, s, a.e + b.e + r)


def read(state, n):  # type: ignore[no-untyped-def]
    return state.c, state.s + state.e


NEUMAIER_MEAN = Formula(
    name="neumaier_mean",
    title="mean by Neumaier's sum",
    summary="The compensated sum of the values divided by their count: the first sweep of neumaier_two_pass.",
    source="Neumaier 1974, doi:10.1002/zamm.19740540106",
    state=NeumaierSum,
    update=sum_update,
    read=sum_read,
    merge=sum_merge,
)


def bound(a: Setting) -> Bound:
    """Each level of the sum makes rounding errors of u sum |x| at most; these are known exactly and summed with
    phi(b + 2 m); one more rounding adds them to the sum."""
    errors = a.u * a.h * (1 + a.phi(a.h))
    return compensated_bound(a, a.u + (1 + a.u) * a.phi(a.b + 2 * a.m) * errors)


NEUMAIER_TWO_PASS = Formula(
    name="neumaier_two_pass",
    title="Neumaier two-pass",
    summary=("Two-pass with Neumaier's compensation in both sums; survives cancellation, stagnates on very long rows."),
    source="Neumaier 1974, doi:10.1002/zamm.19740540106",
    state=NeumaierTwoPass,
    update=update,
    read=read,
    merge=merge,
    start=start,
    centre=NEUMAIER_MEAN,
    bound=bound,
    place=110,
)
