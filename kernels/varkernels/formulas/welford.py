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
    """One state first. Step k errs by r_k when it computes the mean, so that the running mean m_k + e_k has

        k e_k = (k - 1) e_(k-1) + k r_k,        r_1 = 0,
        |r_k| <= u |m_k + e_k| + eta |d_k - e_(k-1)| / k,        d_k = x_k - m_(k-1),        eta = phi(2):

    the rounded sum, and the rounded difference and quotient. In units D_k = d_k sqrt((k - 1) / k) the row is a free
    vector of length sqrt(S), and with t_j = m - m_j = sum_(k>j) D_k / sqrt(k (k - 1)) the increments without their
    own roundings are, exactly,

        sum (d_k - e_(k-1)) (x_k - m_k - e_k) = S - sum r_j g_j + sum e_k e_(k-1),        g_j = d_j + 2 j t_j,

    since sum_(k>j) d_k / k = t_j. (West's: g_j = 2 j t_j, and (1 - 1 / k) e_(k-1)^2 in the last sum.) Then

        sum |g_j|           <= sqrt(S sum (k^2 - 2)^2 / (k (k - 1))) <= sqrt(S n (n^2 + 3 n - 7) / 3)
                               (West's: sqrt(S n ((n^2 - 1) / 3 - 4 (1 - 1 / n)^2))),
        sum 2 j t_j^2       <= S min((n - 1) (n - 2) / n, n / sqrt(e)),
        sum |d_j t_j|       <= S sqrt(ln(n) / 2),        sum d_j^2 / j <= S / 2 + d_2^2 / 4,
        sum g_j^2           <= S (sqrt(2) + sqrt(2 (n^2 - 1) / 3))^2.

    The first is reached where all D_k are positive. The second has t_j^2 <= S (1 / j - 1 / n), or
    Schur's test with the weights sqrt((k - 1) / k); the third is a strictly triangular form, whose largest value is
    at most its Frobenius norm / sqrt(2). A division by 2 is exact: r_2 has u in eta's place, at most eta / 2. So

        |sum r_j g_j| <= u |m| sum |g_j| + u sum |t_j g_j| + eta sum |d_j g_j| / j + (u + eta / 3) E |g|

    with E^2 = sum e_k^2. Of e_k itself, with j |t_j| <= sqrt(S j (1 - j / n)), sum |d_j| <= sqrt(11 / 9 n S) and
    Hardy's inequality (the means of the first k numbers are at most twice as long a vector as the numbers):

        sqrt(n) |e_n| <= G [u ((n + 1) / 2 R + sqrt((n^2 - 1) / 12 S)) + eta sqrt(11 / 9 S)],        R = sqrt(n) |m|,
        E             <= G [u (sqrt((2 n^2 + 9 n + 13) / 24) R + sqrt(2 (n^2 - 1) / 3 S)) + eta sqrt(8 S)],

    G = (1 - u)^(1-n) exp(eta (1 + ln n)) for the e_j in r_j. Increment k is rounded 3 times (West's 5 times), and by
    the n - k + 1 additions that follow, of which that of the first increment, to 0, is exact: n - 2 at most.

    Several states of n_i values: n is the longest, the errors add up by Cauchy's inequality over the states, and
    R^2 = sum n_i m_i^2 <= Q. In a merge the weighted errors X^2 = sum over the nodes of n_node e_node^2 grow by
    rounding alone, and the increments d^2 na nb / n err by 2 sqrt(S) X + X^2. In these orders na >= nb in every merge.

    A reciprocal is one rounding more in eta. A merged mean that is a weighted average is rounded in proportion to
    (na |mean_a| + nb |mean_b|) / n <= sqrt((na mean_a^2 + nb mean_b^2) / n), altogether to sqrt(Q)."""
    b, u = a.b, a.u
    x = np.zeros_like(a.s)
    e = np.zeros_like(a.s)
    off = np.zeros_like(a.s)
    if b > 1:
        eta = a.phi(2 + 2 * a.c + reciprocal)
        r = np.sqrt(a.n) * a.rows.mean if a.m == 0 else a.root_q
        g = np.exp((1 - b) * np.log1p(-u) + eta * (1 + np.log(b)))
        tiny = np.sqrt(a.n) * b * a.eta1
        wide = np.sqrt(2 * (b**2 - 1) / 3)
        x = g * (u * ((b + 1) / 2 * r + np.sqrt((b**2 - 1) / 12) * a.root_s) + eta * np.sqrt(11 / 9) * a.root_s + tiny)
        e = g * (u * (np.sqrt((2 * b**2 + 9 * b + 13) / 24) * r + wide * a.root_s) + eta * np.sqrt(8) * a.root_s + tiny)
        cross = np.sqrt(np.log(b) / 2)
        drift = min((b - 1) * (b - 2) / b, b * np.exp(-0.5))
        if west:
            sums = np.sqrt((b**2 - 1) / 3 - 4 * (1 - 1 / b) ** 2)
            square = u * drift + 2 * eta * cross
        else:
            sums = np.sqrt((b**2 + 3 * b - 7) / 3)
            square = u * (drift + cross) + eta * (0.5 + 2 * cross)
        off = u * sums * r * a.root_s + square * a.s
        off = off + ((u + eta / 3) * e + np.sqrt(a.n) * a.eta1) * (np.sqrt(2) + wide) * a.root_s + e**2
    # What the increments err by one by one, for the roundings of each.
    apart = (2.0 if west else 1 + np.sqrt(2.0)) * a.root_s * e + e**2
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
    merged = 2 * a.root_s * np.sqrt(squares) + squares
    # A merge's increment is rounded 6 times, and in its own addition; its counts 4 times.
    taken = b + (3 + 3 * a.c if west else 1)
    rounding = a.phi(max(taken, 5 + 4 * a.c) + 2 * a.m if a.m else taken) + 2 * a.weight
    largest = a.s + apart + merged
    m2 = off + merged + rounding * largest + 2 * a.n * (1 + rounding) * a.eta2
    span = (a.rows.spread + 2 * worst) * (1 + 4 * a.u)
    inside = np.maximum(span**2, largest * (1 + rounding))
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
