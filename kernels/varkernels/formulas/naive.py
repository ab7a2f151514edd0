"""The textbook one-pass formula on raw sums.

    s = sum x        q = sum x^2        mean = s / n        M2 = q - s s / n

The subtraction cancels the digits that s s / n and q share, about 2 log10(kappa) of them; the result can be
negative.
Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 1.2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .base import Formula, like
from .bounding import Bound, Setting, bounded


class Naive(NamedTuple):
    s: Any
    q: Any


def update(state, n, x):  # type: ignore[no-untyped-def]
    return Naive(state.s + x, state.q + x * x)


def merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    return Naive(a.s + b.s, a.q + b.q)


def read(state, n):  # type: ignore[no-untyped-def]
    k = like(state.s, n)
    return state.s / k, state.q - state.s * state.s / k


def bound(a: Setting) -> Bound:
    """q^ errs by phi(h + 1) Q; s^ by phi(h) sqrt(n Q), so s^ s^ / n by phi(2 h + 2) Q; their difference by u more."""
    mean = a.mean_of_sum(a.phi(a.h))
    product = a.phi(2 * a.h + 2 + 2 * a.c)
    m2 = (1 + a.u) * (a.phi(a.h + 1) + product) * a.q + a.u * a.s + (a.n + 4) * (1 + product) * a.eta2
    sums = np.sqrt(a.n * a.q) * (1 + a.phi(a.h))
    square = (a.n * a.rows.mean + a.phi(a.h) * np.sqrt(a.n * a.q)) ** 2
    return bounded(mean, m2, a.within(sums, np.maximum(square, a.q * (1 + a.phi(a.h + 1)))))


NAIVE = Formula(
    name="naive",
    title="naive one-pass",
    summary="Raw sums of x and x^2; the final subtraction loses 2 log10(kappa) digits and can turn negative.",
    source="Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 1.2",
    state=Naive,
    update=update,
    read=read,
    merge=merge,
    difference=True,
    bound=bound,
    cuda=("thread", "columns", "block", "block4", "grid", "grid4"),
    place=10,
)
