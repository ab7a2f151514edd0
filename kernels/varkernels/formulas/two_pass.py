"""The definition, computed in two sweeps.

    first:  c = (sum x) / n        second:  M2 = sum (x - c)^2

The error of the computed mean c enters M2 as n (c - mean)^2; a running sum makes that large, a pairwise one
does not.
Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 1.1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .base import Formula, like
from .bounding import Bound, Setting, bounded


class Sum(NamedTuple):
    s: Any


def sum_update(state, n, x):  # type: ignore[no-untyped-def]
    return Sum(state.s + x)


def sum_merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    return Sum(a.s + b.s)


def sum_read(state, n):  # type: ignore[no-untyped-def]
    return state.s / like(state.s, n), state.s - state.s


class TwoPass(NamedTuple):
    c: Any
    q: Any


def start(state, high, low):  # type: ignore[no-untyped-def]
    return TwoPass(high, state.q)


def update(state, n, x):  # type: ignore[no-untyped-def]
    d = x - state.c
    return TwoPass(state.c, state.q + d * d)


def merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    return TwoPass(a.c, a.q + b.q)


def read(state, n):  # type: ignore[no-untyped-def]
    return state.c, state.q


MEAN = Formula(
    name="mean",
    title="mean",
    summary="The sum of the values divided by their count: the first sweep of the two-pass formulas.",
    source="Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 1.1",
    state=Sum,
    update=sum_update,
    read=sum_read,
    merge=sum_merge,
)


def bound(a: Setting) -> Bound:
    """Round c, M2 is Q_c = S + n (c - mean)^2, and its computed sum errs by phi(h + 3) Q_c."""
    mean = a.mean_of_sum(a.phi(a.h))
    lost = a.n * mean**2
    m2 = lost + a.phi(a.h + 3) * (a.s + lost) + a.n * (1 + a.phi(a.h)) * a.eta2
    sums = np.sqrt(a.n * a.q) * (1 + a.phi(a.h))
    return bounded(mean, m2, a.within(sums, (a.s + lost) * (1 + a.phi(a.h + 3))))


TWO_PASS = Formula(
    name="two_pass",
    title="textbook two-pass",
    summary=(
        "The mean first, then the sum of squared deviations from it; the mean's own error enters squared, times n."
    ),
    source="Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 1.1",
    state=TwoPass,
    update=update,
    read=read,
    merge=merge,
    start=start,
    centre=MEAN,
    bound=bound,
    cuda=("thread", "columns", "block", "block4", "grid", "grid4", "held"),
    place=40,
)
