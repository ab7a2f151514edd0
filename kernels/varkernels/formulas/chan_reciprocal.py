"""Chan's formula with the recurrence's division replaced by a product with a rounded reciprocal.

    d = x - mean        mean <- mean + d (1 / n)        M2 <- M2 + d (x - mean)

The lanes of a thread share n, so that one reciprocal serves them all: PyTorch's channels-last batch norm and its
vectorised layer norm take a value so. The merge is `chan`'s. The reciprocal's rounding is a relative error of up to
one unit roundoff more in each step of the mean.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from . import chan
from .base import Formula, like
from .welford import recurrence_bound


class ChanReciprocal(NamedTuple):
    mean: Any
    m2: Any


def update(state, n, x):  # type: ignore[no-untyped-def]
    one = like(x, 1)
    d = x - state.mean
    mean = state.mean + d * (one / like(x, n))
    return ChanReciprocal(mean, state.m2 + d * (x - mean))


def merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    d = b.mean - a.mean
    w = like(d, nb) / like(d, na + nb)
    return ChanReciprocal(a.mean + d * w, a.m2 + b.m2 + d * d * (like(d, na) * w))


CHAN_RECIPROCAL = Formula(
    name="chan_reciprocal",
    title="Chan, by a reciprocal",
    summary="Chan's formula, each step of the mean a product with 1 / n instead of a division.",
    source="PyTorch, aten/src/ATen/native/cuda/Normalization.cuh and layer_norm_kernel.cu, for the reciprocal",
    state=ChanReciprocal,
    update=update,
    read=chan.read,
    merge=merge,
    # The recurrence's, with one rounding more in each step of the mean.
    bound=partial(recurrence_bound, reciprocal=True),
    orders=(),
    cuda=("block4", "grid4"),
    place=130,
)
