"""West's form of the recurrence, with unit weights.

    d = x - mean        r = d / n        mean <- mean + r        M2 <- M2 + (n - 1) d r

The same as Welford's in exact arithmetic; here M2's increment does not see the rounding of the new mean.
West 1979, doi:10.1145/359146.359153.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from .base import Formula, like
from .welford import recurrence_bound


class West(NamedTuple):
    mean: Any
    m2: Any


def update(state, n, x):  # type: ignore[no-untyped-def]
    d = x - state.mean
    r = d / like(x, n)
    return West(state.mean + r, state.m2 + like(x, n - 1) * d * r)


def read(state, n):  # type: ignore[no-untyped-def]
    return state.mean, state.m2


WEST = Formula(
    name="west",
    title="West",
    summary=("The running mean and M2, updated with (n - 1) d^2 / n; never negative, stalls as Welford's does."),
    source="West 1979, doi:10.1145/359146.359153",
    state=West,
    update=update,
    read=read,
    # The recurrence's, whose increments do not see the rounding of the new mean.
    bound=partial(recurrence_bound, west=True),
    place=80,
)
