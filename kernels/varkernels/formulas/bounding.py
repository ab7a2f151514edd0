"""Worst-case errors: what the bounds of all formulas share.

Notation: n values, mean m, S = sum (x - m)^2, Q = sum x^2, kappa^2 = Q / S, unit roundoff u, and

    phi(k) = (1 + u)^k - 1,

which bounds what k roundings in a row do to a number, whatever k u is. Every rounded operation is the exact one
times 1 + delta, |delta| <= u (plus half the smallest subnormal number, for products and quotients), so that

    |sum^ - sum| <= phi(h) sum |x|,        sum |x| <= sqrt(n Q),

for a sum in which no value takes part in more than h additions: h = n for a running sum, about n / L + log2 L for
L lanes, log2 n for a pairwise one. The bounds below follow from this alone; each formula's file has its
derivation. To first order they are those of Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, table 1;
the sums are analysed as in Higham 2002, Accuracy and Stability of Numerical Algorithms, chapters 3 and 4.
Where something may overflow, or a premise fails, the bound is infinite: no guarantee.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..formats import Format

__all__ = ["SLACK", "Bound", "Floats", "Rows", "Setting", "bounded", "compensated_bound", "evaluate"]

Floats = NDArray[np.float64]

# Each bound is evaluated in float64: this much covers the rounding of its own evaluation.
SLACK = 1 + 1e-9


@dataclass(frozen=True, eq=False)
class Rows:
    """What the bounds need to know of rows, float64 arrays (rows,), each row scaled by 2^-k to max |x| <= 1.

    Attributes
    ----------
    n : values in each row, at least 1.
    k : the scale's exponent: the data are 2^k times what the other attributes describe.
    mean : |mean|. s : sum of squared deviations. q : sum of squares. spread : max x - min x.
    first : |x[0] - mean|. centre : |c - mean| for the centre given to the formula ``shifted``, NaN if there is none.
    """

    n: int
    k: NDArray[np.int64]
    mean: Floats
    s: Floats
    q: Floats
    spread: Floats
    first: Floats
    centre: Floats


@dataclass(frozen=True, eq=False)
class Bound:
    """Bounds of |computed - exact|, in the rows' scaled units; infinite where there is none, NaN where none is known.

    Attributes
    ----------
    mean : of the mean, float64 array (rows,).
    m2 : of M2, float64 array (rows,), in the unit squared.
    """

    mean: Floats
    m2: Floats


class Setting:
    """Rows, a precision and an order, and the quantities that all bounds share.

    Attributes
    ----------
    rows : the `Rows`. n : their length. s, q : their sums of squared deviations and of squares; root_s, root_q : the
        roots of these.
    u : the accumulator's unit roundoff. largest : its largest finite number.
    b, m, h : at most b values are taken by one state, then at most m merges follow; h = b + m.
    c : 1 if a count may be rounded where it enters the arithmetic, else 0.
    eta1, eta2 : absolute error of a product that is subnormal, in the unit of x and of x^2, by row.
    big1, big2 : half the largest finite number in the same units.
    weight : error of a merge's weight nb / n where it is subnormal, else 0.
    """

    def __init__(self, rows: Rows, fmt: Format, b: int, m: int) -> None:
        self.rows = rows
        self.n = float(rows.n)
        self.s, self.q = rows.s, rows.q
        self.root_s, self.root_q = np.sqrt(rows.s), np.sqrt(rows.q)
        self.u = float(fmt.unit_roundoff)
        # b updates of one state, then m merges: no value takes part in more than h additions.
        self.b, self.m, self.h = float(b), m, float(b + m)
        # A count beyond 2^p is rounded where it enters the arithmetic.
        self.c = 1 if rows.n > 2**fmt.precision else 0
        smallest, self.largest = float(fmt.smallest_subnormal), float(fmt.largest)
        self.eta1 = np.ldexp(smallest, -rows.k)  # a subnormal product's error, in the unit of x
        self.eta2 = np.ldexp(smallest, -2 * rows.k)  # and in the unit of x^2
        self.big1 = np.ldexp(self.largest / 2, -rows.k)
        self.big2 = np.ldexp(self.largest / 2, -2 * rows.k)
        # A merge's weight nb / n may be subnormal in float16.
        self.weight = smallest * self.n / 2 if smallest * self.n / 2 > self.u else 0.0

    def phi(self, k: float, u: float | None = None) -> float:
        """(1 + u)^k - 1: what k roundings in a row do, relatively."""
        return float(np.expm1(k * np.log1p(self.u if u is None else u)) * (1 + 1e-12))

    def mean_of_sum(self, relative: float) -> Floats:
        """Error of (sum x) / n where the sum errs by `relative` times sum |x|."""
        division = self.phi(1 + 2 * self.c)
        return (relative + division + relative * division) * np.sqrt(self.q / self.n) + self.eta1

    def within(self, sums: Floats, squares: Floats, count: float = 0.0) -> NDArray[np.bool_]:
        """Whether sums of x, sums of squares and counts stay in the format's range."""
        ok: NDArray[np.bool_] = (sums <= self.big1) & (squares <= self.big2)
        return ok & (max(self.n, count) <= self.largest / 2)


def bounded(mean: Floats, m2: Floats, ok: NDArray[np.bool_]) -> Bound:
    """These errors with room for the rounding of their own evaluation; infinite where a premise fails.

    mean, m2 : float64 arrays (rows,). ok : bool array (rows,), whether nothing overflows.
    """
    return Bound(np.where(ok, mean * SLACK, np.inf), np.where(ok, m2 * SLACK, np.inf))


def compensated_bound(a: Setting, k: float) -> Bound:
    """The two-pass formula's bound with sums that err by k times the sum of magnitudes."""
    mean = a.mean_of_sum(k)
    lost = a.n * mean**2
    rounding = (1 + a.phi(3)) * (1 + k) - 1
    m2 = lost + rounding * (a.s + lost) + 2 * a.n * (1 + k) * a.eta2
    sums = 2 * np.sqrt(a.n * a.q) * (1 + k)
    return bounded(mean, m2, a.within(sums, 2 * (a.s + lost) * (1 + rounding)))


def evaluate(bound: Callable[[Setting], Bound] | None, fmt: Format, rows: Rows, b: int, m: int) -> Bound:
    """A formula's bound where at most b values are taken by one state, and then at most m merges follow.

    It holds for contracted products too: a product that is not rounded is one with delta = 0.

    Parameters
    ----------
    bound : as a formula declares it; None: NaN for every row.
    fmt : the accumulator, in which every operation is rounded.
    rows : what the data are like; exact, or rounded up by less than 1e-10.
    b, m : as `Order.geometry` has them.
    """
    if bound is None:
        unknown = np.full_like(rows.s, np.nan)
        return Bound(unknown, unknown)
    with np.errstate(all="ignore"):
        found = bound(Setting(rows, fmt, b, m))
        # inf times 0, or inf - inf, is no statement
        return Bound(*(np.where(np.isnan(each), np.inf, each) for each in (found.mean, found.m2)))
