"""The recurrence on (sum, M2).

    t <- t + x        M2 <- M2 + (n x - t)^2 / (n (n - 1))

and its generalisation to two samples with sums ta, tb and na, nb values:

    M2 = M2a + M2b + na / (nb (na + nb)) (nb / na ta - tb)^2

Youngs, Cramer 1971, doi:10.1080/00401706.1971.10488826; the merge: Chan, Golub, LeVeque 1983,
doi:10.1080/00031305.1983.10483115, eq. 2.1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .base import Formula, like


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


YOUNGS_CRAMER = Formula(
    name="youngs_cramer",
    title="Youngs-Cramer",
    summary=("One pass over (sum, M2) without a running mean; no cancellation, but the running sum's error grows."),
    source="Youngs, Cramer 1971, doi:10.1080/00401706.1971.10488826",
    state=YoungsCramer,
    update=update,
    read=read,
    merge=merge,
)
