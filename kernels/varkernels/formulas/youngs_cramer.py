"""The recurrence on (sum, M2).

    t <- t + x        M2 <- M2 + (n x - t)^2 / (n (n - 1))

and its generalisation to two samples with sums ta, tb and na, nb values:

    M2 = M2a + M2b + na / (nb (na + nb)) (nb / na ta - tb)^2

Youngs, Cramer 1971, doi:10.1080/00401706.1971.10488826; the merge: Chan, Golub, LeVeque 1983,
doi:10.1080/00031305.1983.10483115, eq. 2.1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .base import Formula, like
from .bounding import Bound, Setting, bounded


class YoungsCramer(NamedTuple):
    t: Any
    m2: Any


def update(state, n, x):  # type: ignore[no-untyped-def]
    t = state.t + x
    if n == 1:
        return YoungsCramer(t, state.m2)
    k = like(x, n)
    d = k * x - t
    return YoungsCramer(t, state.m2 + d * d / (k * like(x, n - 1)))


def merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    ka = like(a.t, na)
    kb = like(a.t, nb)
    d = kb / ka * a.t - b.t
    return YoungsCramer(a.t + b.t, a.m2 + b.m2 + ka / (kb * like(a.t, na + nb)) * (d * d))


def read(state, n):  # type: ignore[no-untyped-def]
    return state.t / like(state.t, n), state.m2


def bound(a: Setting) -> Bound:
    """Increment k is D^2, D = (k x - t) / sqrt(k (k - 1)), and sum D^2 = S. The computed D err by a vector whose
    length e follows from k |x| / sqrt(k (k - 1)) <= sqrt(2) |x| and |t^ - t| <= phi(k) sqrt(k Q); a merge adds
    phi(h + 2) sqrt(Q) a level. So sum |D^^2 - D^2| <= 2 sqrt(S) e + e^2."""
    b = a.b
    e = np.zeros_like(a.s)
    if b > 1:
        growth = (b * (b + 3) / 2 + 1 + np.log(b)) / b**2
        e = e + (1 + a.u) * (a.phi(1 + a.c) * np.sqrt(2.0) + a.phi(b) * np.sqrt(growth)) * a.root_q
        e = e + a.u * a.root_s + 2 * np.sqrt(a.n) * a.eta1
    if a.m:
        e = e + (1 + a.u) * a.phi(a.h + 2 + 3 * a.c) * np.sqrt(a.m) * a.root_q + a.u * a.root_s + a.n * a.eta1
    off = 2 * a.root_s * e + e**2
    rounding = a.phi(6 + 6 * a.c + b + 2 * a.m)
    m2 = off + rounding * (a.s + off) + 4 * a.n * (1 + rounding) * a.eta2
    largest = np.full_like(a.s, 2 * a.n * (1 + a.phi(a.h + 2)))
    return bounded(a.mean_of_sum(a.phi(a.h)), m2, a.within(largest, largest**2, count=a.n**2))


YOUNGS_CRAMER = Formula(
    name="youngs_cramer",
    title="Youngs-Cramer",
    summary=("One pass over (sum, M2) without a running mean; no cancellation, but the running sum's error grows."),
    source="Youngs, Cramer 1971, doi:10.1080/00401706.1971.10488826",
    state=YoungsCramer,
    update=update,
    read=read,
    merge=merge,
    bound=bound,
    place=60,
)
