"""Welford's recurrence, in the form with the new mean.

    d = x - mean        mean <- mean + d / n        M2 <- M2 + d (x - mean)

It stalls once d / n falls under half an ulp of the mean. A recurrence takes one value at a time: it has no
merge (`chan` is this recurrence with one).
Welford 1962, doi:10.1080/00401706.1962.10490022.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .base import Formula, like


class Welford(NamedTuple):
    mean: Any
    m2: Any


def update(state, n, x):  # type: ignore[no-untyped-def]
    d = x - state.mean
    mean = state.mean + d / like(x, n)
    return Welford(mean, state.m2 + d * (x - mean))


def read(state, n):  # type: ignore[no-untyped-def]
    return state.mean, state.m2


WELFORD = Formula(
    name="welford",
    title="Welford",
    summary=("The running mean and M2, updated with d (x - new mean); stalls on long rows whose mean drifts slowly."),
    source="Welford 1962, doi:10.1080/00401706.1962.10490022",
    state=Welford,
    update=update,
    read=read,
)
