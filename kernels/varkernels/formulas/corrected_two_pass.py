"""The two-pass formula, corrected for the error of its own mean.

    first:  c = (sum x) / n        second:  M2 = sum (x - c)^2 - (sum (x - c))^2 / n

The second term is exactly 0 for an exact mean; otherwise it removes n (c - mean)^2. The mean that it reports
is still c.
Bjorck's suggestion in Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 1.7.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .base import Formula, like
from .bounding import Bound, Setting, bounded
from .two_pass import MEAN


class CorrectedTwoPass(NamedTuple):
    c: Any
    s: Any
    q: Any


def start(state, high, low):  # type: ignore[no-untyped-def]
    return CorrectedTwoPass(high, state.s, state.q)


def update(state, n, x):  # type: ignore[no-untyped-def]
    d = x - state.c
    return CorrectedTwoPass(state.c, state.s + d, state.q + d * d)


def merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    return CorrectedTwoPass(a.c, a.s + b.s, a.q + b.q)


def read(state, n):  # type: ignore[no-untyped-def]
    return state.c, state.q - state.s * state.s / like(state.s, n)


def bound(a: Setting) -> Bound:
    """The shifted formula round c, but the sum of deviations is known to be small: n |c - mean|, and its rounding."""
    mean = a.mean_of_sum(a.phi(a.h))
    qc = a.s + a.n * mean**2
    total, error = a.n * mean, a.phi(a.h + 1) * np.sqrt(a.n * qc)
    rounding = a.phi(2 + 2 * a.c)
    square = ((2 * total * error + error**2) * (1 + rounding) + rounding * total**2) / a.n
    grown = 1 + a.phi(2 * a.h + 4)
    m2 = (1 + a.u) * (a.phi(a.h + 3) * qc + square) + a.u * a.s + (a.n + 4) * grown * a.eta2
    sums = np.sqrt(a.n * a.q) * (1 + a.phi(a.h))
    return bounded(mean, m2, a.within(sums, np.maximum((total + error) ** 2, qc * (1 + a.phi(a.h + 3)))))


CORRECTED_TWO_PASS = Formula(
    name="corrected_two_pass",
    title="corrected two-pass",
    summary=(
        "Two-pass less (sum of deviations)^2 / n, which removes the mean's error from M2, though not from the mean."
    ),
    source="Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 1.7",
    state=CorrectedTwoPass,
    update=update,
    read=read,
    merge=merge,
    start=start,
    centre=MEAN,
    bound=bound,
    cuda=("block4", "grid4"),
    place=50,
)
