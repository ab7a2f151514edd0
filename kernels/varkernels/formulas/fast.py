"""Tiles of values by the two-pass formula, merged by Chan's: for a processor whose registers hold a tile.

    c = (sum x) / T        M2 = sum (x - c)^2        of the T values of a tile, T a power of two from 4 to 32

Tiles are merged as in `chan`, and so are single values that fill no tile. Each sum of a tile runs in four chains, which
are then added as a tree. One merge, with its one division, serves T values, where Chan's formula divides for each.
flash-attention's layer norm holds a row in registers and takes it by two passes likewise.
The merge: Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 2.1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .base import Formula, like
from .bounding import Bound, Setting, bounded


class Fast(NamedTuple):
    mean: Any
    m2: Any


def four_chains(values: Any) -> Any:
    """The sum of a power of two of values, at least four."""
    sums = list(values[:4])
    for j in range(4, len(values)):
        sums[j % 4] = sums[j % 4] + values[j]
    return (sums[0] + sums[2]) + (sums[1] + sums[3])


def tile(state, values):  # type: ignore[no-untyped-def]
    c = four_chains(values) / like(values[0], len(values))
    chains = []
    for j, x in enumerate(values):
        d = x - c
        if j < 4:
            chains.append(d * d)
        else:
            chains[j % 4] = chains[j % 4] + d * d
    return Fast(c, (chains[0] + chains[2]) + (chains[1] + chains[3]))


def update(state, n, x):  # type: ignore[no-untyped-def]
    d = x - state.mean
    w = like(d, 1) / like(d, n)
    return Fast(state.mean + d * w, state.m2 + d * (like(d, n - 1) * w) * d)


def merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    d = b.mean - a.mean
    w = like(d, nb) / like(d, na + nb)
    return Fast(a.mean + d * w, a.m2 + b.m2 + d * d * (like(d, na) * w))


def read(state, n):  # type: ignore[no-untyped-def]
    return state.mean, state.m2


def bound(a: Setting) -> Bound:
    """A tile of b values first: no value takes part in more than h = b / 4 + 1 additions of a sum, and a division by a
    power of two is exact, so that the tiles' means err by phi(h) mean |x|, altogether, weighted with their counts, by
    X = phi(h) sqrt(Q). A tile's M2 is a sum of squares round its computed mean: S_tile + n_tile e^2, which h + 3
    roundings follow.

    Then merges, a single value being a tile without errors: X grows by rounding alone, and the increments
    d^2 na nb / n err by 2 sqrt(S) X + X^2 on each level, as `welford.recurrence_bound` has it, where na >= nb too.
    """
    h = a.b / 4 + 1
    x = a.phi(h) * a.root_q + np.sqrt(a.n) * a.eta1
    lost = x**2
    squares, worst = np.zeros_like(a.s), x
    weight = a.phi(3 + 4 * a.c) + 2 * a.weight
    for _ in range(a.m):
        squares = squares + x**2
        x = (1 + a.u) * (x * (1 + weight) + weight * a.root_s) + a.u * a.root_q + np.sqrt(a.n) * a.eta1
        worst = np.maximum(worst, x)
    merged = 2 * a.root_s * np.sqrt(squares) + squares
    rounding = a.phi(max(h + 3, 5 + 4 * a.c) + 2 * a.m) + 2 * a.weight
    largest = a.s + lost + merged
    m2 = lost + merged + rounding * largest + 2 * a.n * (1 + rounding) * a.eta2
    span = (a.rows.spread + 2 * worst) * (1 + 4 * a.u)
    sums = np.maximum(span, a.b * (a.rows.mean + a.rows.spread) * (1 + a.phi(h)))
    return bounded(x / np.sqrt(a.n), m2, a.within(sums, np.maximum(span**2, largest * (1 + rounding))))


FAST = Formula(
    name="fast",
    title="tiles",
    summary="The two-pass formula on tiles of 64 bytes that registers hold, the tiles merged by Chan's.",
    source="Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 1.1 and 2.1",
    state=Fast,
    update=update,
    read=read,
    merge=merge,
    tile=tile,
    bound=bound,
    orders=(),
    cuda=("tile", "columns"),
    place=125,
)
