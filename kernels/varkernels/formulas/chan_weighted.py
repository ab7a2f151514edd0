"""Chan's formula with the merged mean as a weighted average.

    mean = (na mean_a + nb mean_b) / (na + nb)        M2 = M2a + M2b + d d (na nb / (na + nb))

Both products round in proportion to the mean, not to the difference d of the means: means that are equal need not
stay so, and far from 0 the merged mean errs by ulps of itself where the form by d errs by ulps of d.
flash-attention and Apex merge the statistics of threads and devices in this way.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from . import chan
from .base import Formula, like
from .welford import recurrence_bound


class ChanWeighted(NamedTuple):
    mean: Any
    m2: Any


def update(state, n, x):  # type: ignore[no-untyped-def]
    d = x - state.mean
    mean = state.mean + d / like(x, n)
    return ChanWeighted(mean, state.m2 + d * (x - mean))


def merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    ka = like(a.mean, na)
    kb = like(a.mean, nb)
    k = like(a.mean, na + nb)
    d = b.mean - a.mean
    return ChanWeighted((ka * a.mean + kb * b.mean) / k, a.m2 + b.m2 + d * d * (ka * kb / k))


CHAN_WEIGHTED = Formula(
    name="chan_weighted",
    title="Chan, mean as weighted average",
    summary="Chan's formula, the merged mean a weighted average: means that are equal need not stay so.",
    source="flash-attention, csrc/layer_norm/ln_utils.cuh; NVIDIA Apex, csrc/welford.cu, for the average",
    state=ChanWeighted,
    update=update,
    read=chan.read,
    merge=merge,
    # The recurrence's, whose merged means are rounded in proportion to themselves.
    bound=partial(recurrence_bound, weighted=True),
    orders=(),
    cuda=("block4", "grid4"),
    place=140,
)
