"""The one-pass formula on values shifted by a centre c near the mean.

    d = x - c        s = sum d        q = sum d^2        mean = c + s / n        M2 = q - s s / n

As good as the centre: the error is that of the raw sums with kappa_c^2 = sum (x - c)^2 / S. The row's first
value keeps kappa_c <= sqrt(n); a running mean or a sample's mean usually keeps it near 1.
Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, section 3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .base import Formula, like
from .bounding import Bound, Floats, Setting, bounded


class Shifted(NamedTuple):
    c: Any
    s: Any
    q: Any


def start(state, high, low):  # type: ignore[no-untyped-def]
    return Shifted(high, state.s, state.q)


def update(state, n, x):  # type: ignore[no-untyped-def]
    d = x - state.c
    return Shifted(state.c, state.s + d, state.q + d * d)


def merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    return Shifted(a.c, a.s + b.s, a.q + b.q)


def read(state, n):  # type: ignore[no-untyped-def]
    k = like(state.s, n)
    return state.c + state.s / k, state.q - state.s * state.s / k


def offset_bound(a: Setting, offset: Floats) -> Bound:
    """The naive formula on fl(x - c), with Q_c = S + n (c - mean)^2 in Q's place."""
    qc = a.s + a.n * offset**2
    product = a.phi(2 * a.h + 4 + 2 * a.c)
    m2 = (1 + a.u) * (a.phi(a.h + 3) + product) * qc + a.u * a.s + (a.n + 4) * (1 + product) * a.eta2
    mean = (1 + a.u) * (a.phi(a.h + 2 + 2 * a.c) * np.sqrt(qc / a.n) + a.eta1) + a.u * a.rows.mean
    sums = np.sqrt(a.n * qc) * (1 + a.phi(a.h + 1))
    square = (a.n * offset + a.phi(a.h + 1) * np.sqrt(a.n * qc)) ** 2
    return bounded(mean, m2, a.within(sums, np.maximum(square, qc * (1 + a.phi(a.h + 3)))))


def bound(a: Setting) -> Bound:
    """The offset is that of the given centre."""
    return offset_bound(a, a.rows.centre)


def first_bound(a: Setting) -> Bound:
    """The offset is that of the row's first value."""
    return offset_bound(a, a.rows.first)


SHIFTED = Formula(
    name="shifted",
    title="shifted by a given centre",
    summary="One-pass sums of x - c for a centre c that the caller gives; as good as that centre.",
    source="Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, section 3",
    state=Shifted,
    update=update,
    read=read,
    merge=merge,
    start=start,
    centre="given",
    difference=True,
    bound=bound,
    place=30,
)

SHIFTED_FIRST = replace(
    SHIFTED,
    name="shifted_first",
    title="shifted by the first value",
    summary="One-pass sums of x - x[0]; bad when the first value is an outlier.",
    centre="first",
    bound=first_bound,
    place=20,
)
