"""Two samples' (mean, M2) merged into one.

    d = mean_b - mean_a        w = nb / (na + nb)
    mean = mean_a + d w        M2 = M2a + M2b + d d (na w)

A single value is taken by Welford's recurrence, which is this merge with nb = 1.
Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 2.1, written there with sums for means.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .base import Formula, like
from .welford import recurrence_bound


class Chan(NamedTuple):
    mean: Any
    m2: Any


def update(state, n, x):  # type: ignore[no-untyped-def]
    d = x - state.mean
    mean = state.mean + d / like(x, n)
    return Chan(mean, state.m2 + d * (x - mean))


def merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    d = b.mean - a.mean
    w = like(d, nb) / like(d, na + nb)
    return Chan(a.mean + d * w, a.m2 + b.m2 + d * d * (like(d, na) * w))


def read(state, n):  # type: ignore[no-untyped-def]
    return state.mean, state.m2


CHAN = Formula(
    name="chan",
    title="Chan",
    summary=("Welford's recurrence with a merge of (count, mean, M2); in a tree its error grows with log2 n only."),
    source="Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 2.1",
    state=Chan,
    update=update,
    read=read,
    merge=merge,
    bound=recurrence_bound,
    cuda=("thread", "columns", "block", "block4", "grid", "grid4"),
    place=90,
)
