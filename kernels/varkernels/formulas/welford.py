"""Welford's recurrence, in the form with the new mean.

    d = x - mean        mean <- mean + d / n        M2 <- M2 + d (x - mean)

It stalls once d / n falls under half an ulp of the mean. A recurrence takes one value at a time: it has no
merge (`chan` is this recurrence with one).
Welford 1962, doi:10.1080/00401706.1962.10490022.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .base import Formula, like
from .bounding import Bound, Setting, bounded


class Welford(NamedTuple):
    mean: Any
    m2: Any


def update(state, n, x):  # type: ignore[no-untyped-def]
    d = x - state.mean
    mean = state.mean + d / like(x, n)
    return Welford(mean, state.m2 + d * (x - mean))


def read(state, n):  # type: ignore[no-untyped-def]
    return state.mean, state.m2


def recurrence_bound(a: Setting, west: bool = False, reciprocal: bool = False, weighted: bool = False) -> Bound:
    """The running mean m_k errs by e_k with

        k e_k <= (1 + u) [(k - 1) e_(k-1) (1 + eta / (k - 1)) + eta |x_k - m_(k-1)|] + u k |m_k|,  eta = phi(2),

    hence sqrt(k) e_k <= G [eta sqrt(2 S) + 2/3 u k (1 + 1/k)^1.5 sqrt(Q)]. With E^2 = sum e_k^2 the increments err
    by (1 + sqrt 2) sqrt(S) E + E^2 altogether (West's by 2 sqrt(S) E + E^2). In a merge the weighted errors
    X^2 = sum over the nodes of n_node e_node^2 grow by rounding alone, and the increments d^2 na nb / n err by
    2 sqrt(S) X + X^2. In these orders na >= nb in every merge.

    A reciprocal is one rounding more in eta. A merged mean that is a weighted average is rounded in proportion to
    (na |mean_a| + nb |mean_b|) / n <= sqrt((na mean_a^2 + nb mean_b^2) / n), altogether to sqrt(Q)."""
    b = a.b
    eta = a.phi(2 + 2 * a.c + reciprocal)
    x = np.zeros_like(a.s)
    e = np.zeros_like(a.s)
    if b > 1:
        g = np.exp(b * np.log1p(a.u) + eta * (1 + np.log(b)))
        steps = b * (b + 1) / 2 + 3 * b + 3 * (1 + np.log(b)) + 2
        tiny = np.sqrt(a.n) * b * a.eta1
        x = g * (eta * (1 + a.u) * np.sqrt(2.0) * a.root_s + 2 / 3 * a.u * b * (1 + 1 / b) ** 1.5 * a.root_q + tiny)
        e = g * (
            eta * (1 + a.u) * np.sqrt(2 * (1 + np.log(b))) * a.root_s + 2 / 3 * a.u * np.sqrt(steps) * a.root_q + tiny
        )
    off = (2.0 if west else 1 + np.sqrt(2.0)) * a.root_s * e + e**2
    squares = np.zeros_like(a.s)
    worst = e + x
    weight = a.phi(3 + 4 * a.c) + 2 * a.weight
    for _ in range(a.m):
        squares = squares + x**2
        if weighted:
            average = a.phi(4 + 4 * a.c)
            x = x * (1 + average) + average * a.root_q + 3 * np.sqrt(a.n) * a.eta1
        else:
            x = (1 + a.u) * (x * (1 + weight) + weight * a.root_s) + a.u * a.root_q + np.sqrt(a.n) * a.eta1
        worst = np.maximum(worst, x)
    off = off + 2 * a.root_s * np.sqrt(squares) + squares
    rounding = a.phi(7 + 4 * a.c + b + 2 * a.m) + 2 * a.weight
    m2 = off + rounding * (a.s + off) + 2 * a.n * (1 + rounding) * a.eta2
    span = (a.rows.spread + 2 * worst) * (1 + 4 * a.u)
    inside = np.maximum(span**2, (a.s + off) * (1 + rounding))
    if west:
        m2 = m2 + 4 * a.n**1.5 * (a.root_s + np.sqrt(a.n) * worst) * a.eta1
        return bounded(x / np.sqrt(a.n), m2, a.within(a.n * span, inside))
    sums = np.maximum(span, 2 * a.n * (a.rows.mean + a.rows.spread + worst)) if weighted and a.m else span
    return bounded(x / np.sqrt(a.n), m2, a.within(sums, inside, count=a.n**2 if weighted and a.m else 0.0))


WELFORD = Formula(
    name="welford",
    title="Welford",
    summary=("The running mean and M2, updated with d (x - new mean); stalls on long rows whose mean drifts slowly."),
    source="Welford 1962, doi:10.1080/00401706.1962.10490022",
    state=Welford,
    update=update,
    read=read,
    bound=recurrence_bound,
    cuda=("thread",),
    place=70,
)
