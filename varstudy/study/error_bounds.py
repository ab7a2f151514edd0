"""Rigorous error bounds of every formula in every order, beside which the study's measurements stand.

Notation: n values, mean m, S = sum (x - m)^2, Q = sum x^2, kappa^2 = Q / S, unit roundoff u, and

    phi(k) = (1 + u)^k - 1,

which bounds what k roundings in a row do to a number, whatever k u is. Every rounded operation is the exact one
times 1 + delta, |delta| <= u (plus half the smallest subnormal number, for products and quotients), so that

    |sum^ - sum| <= phi(h) sum |x|,        sum |x| <= sqrt(n Q),

for a sum in which no value takes part in more than h additions: h = n for a running sum, about n / L + log2 L for
L lanes, log2 n for a pairwise one. The bounds below follow from this alone; each formula's derivation stands at its
function. To first order they are those of Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, table 1;
the sums are analysed as in Higham 2002, Accuracy and Stability of Numerical Algorithms, chapters 3 and 4.
Where something may overflow, or a premise fails, the bound is infinite: no guarantee.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varkernels.fast import BLOCK
from varkernels.simd import LANES

if TYPE_CHECKING:
    from varkernels import Algorithm, Format
    from varkernels.registry import Order

__all__ = ["Bound", "Rows", "bounds", "formula_bounds", "geometry", "relative_bound", "variance_bound"]

Floats = NDArray[np.float64]

# Each bound is evaluated in float64: this much covers the rounding of its own evaluation.
_SLACK = 1 + 1e-9


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


class _Setting:
    """Rows, a precision and an order, and the quantities that all bounds share."""

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
        return float(np.expm1(k * np.log1p(self.u if u is None else u)) * (1 + 1e-12))

    def mean_of_sum(self, relative: float) -> Floats:
        """Error of (sum x) / n where the sum errs by `relative` times sum |x|."""
        division = self.phi(1 + 2 * self.c)
        return (relative + division + relative * division) * np.sqrt(self.q / self.n) + self.eta1

    def within(self, sums: Floats, squares: Floats, count: float = 0.0) -> NDArray[np.bool_]:
        """Whether sums of x, sums of squares and counts stay in the format's range."""
        ok: NDArray[np.bool_] = (sums <= self.big1) & (squares <= self.big2)
        return ok & (max(self.n, count) <= self.largest / 2)


def geometry(order: Order, n: int) -> tuple[int, int]:
    """(b, m): at most b values are taken by one state, and then at most m merges follow.

    Parameters
    ----------
    order : the schedule.
    n : values in a row.
    """
    if order.kernel == "running":
        return n, 0
    if order.kernel == "lanes":
        return -(-n // order.width), (min(order.width, n) - 1).bit_length()
    return min(order.width, n), (-(-n // order.width) - 1).bit_length()


def _naive(a: _Setting) -> Bound:
    """q^ errs by phi(h + 1) Q; s^ by phi(h) sqrt(n Q), so s^ s^ / n by phi(2 h + 2) Q; their difference by u more."""
    mean = a.mean_of_sum(a.phi(a.h))
    product = a.phi(2 * a.h + 2 + 2 * a.c)
    m2 = (1 + a.u) * (a.phi(a.h + 1) + product) * a.q + a.u * a.s + (a.n + 4) * (1 + product) * a.eta2
    sums = np.sqrt(a.n * a.q) * (1 + a.phi(a.h))
    square = (a.n * a.rows.mean + a.phi(a.h) * np.sqrt(a.n * a.q)) ** 2
    return _bound(mean, m2, a.within(sums, np.maximum(square, a.q * (1 + a.phi(a.h + 1)))))


def _shifted(a: _Setting, offset: Floats) -> Bound:
    """The naive formula on fl(x - c), with Q_c = S + n (c - mean)^2 in Q's place."""
    qc = a.s + a.n * offset**2
    product = a.phi(2 * a.h + 4 + 2 * a.c)
    m2 = (1 + a.u) * (a.phi(a.h + 3) + product) * qc + a.u * a.s + (a.n + 4) * (1 + product) * a.eta2
    mean = (1 + a.u) * (a.phi(a.h + 2 + 2 * a.c) * np.sqrt(qc / a.n) + a.eta1) + a.u * a.rows.mean
    sums = np.sqrt(a.n * qc) * (1 + a.phi(a.h + 1))
    square = (a.n * offset + a.phi(a.h + 1) * np.sqrt(a.n * qc)) ** 2
    return _bound(mean, m2, a.within(sums, np.maximum(square, qc * (1 + a.phi(a.h + 3)))))


def _two_pass(a: _Setting) -> Bound:
    """Round c, M2 is Q_c = S + n (c - mean)^2, and its computed sum errs by phi(h + 3) Q_c."""
    mean = a.mean_of_sum(a.phi(a.h))
    lost = a.n * mean**2
    m2 = lost + a.phi(a.h + 3) * (a.s + lost) + a.n * (1 + a.phi(a.h)) * a.eta2
    sums = np.sqrt(a.n * a.q) * (1 + a.phi(a.h))
    return _bound(mean, m2, a.within(sums, (a.s + lost) * (1 + a.phi(a.h + 3))))


def _corrected_two_pass(a: _Setting) -> Bound:
    """`_shifted` by c, but the sum of deviations is known to be small: n |c - mean|, and its rounding."""
    mean = a.mean_of_sum(a.phi(a.h))
    qc = a.s + a.n * mean**2
    total, error = a.n * mean, a.phi(a.h + 1) * np.sqrt(a.n * qc)
    rounding = a.phi(2 + 2 * a.c)
    square = ((2 * total * error + error**2) * (1 + rounding) + rounding * total**2) / a.n
    grown = 1 + a.phi(2 * a.h + 4)
    m2 = (1 + a.u) * (a.phi(a.h + 3) * qc + square) + a.u * a.s + (a.n + 4) * grown * a.eta2
    sums = np.sqrt(a.n * a.q) * (1 + a.phi(a.h))
    return _bound(mean, m2, a.within(sums, np.maximum((total + error) ** 2, qc * (1 + a.phi(a.h + 3)))))


def _youngs_cramer(a: _Setting) -> Bound:
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
    return _bound(a.mean_of_sum(a.phi(a.h)), m2, a.within(largest, largest**2, count=a.n**2))


def _recurrence(a: _Setting, west: bool = False, reciprocal: bool = False, weighted: bool = False) -> Bound:
    """The running mean m_k errs by e_k with

        k e_k <= (1 + u) [(k - 1) e_(k-1) (1 + eta / (k - 1)) + eta |x_k - m_(k-1)|] + u k |m_k|,  eta = phi(2),

    hence sqrt(k) e_k <= G [eta sqrt(2 S) + 2/3 u k (1 + 1/k)^1.5 sqrt(Q)]. With E^2 = sum e_k^2 the increments err
    by (1 + sqrt 2) sqrt(S) E + E^2 altogether (West's by 2 sqrt(S) E + E^2). In a merge the weighted errors
    X^2 = sum over the nodes of n_node e_node^2 grow by rounding alone, and the increments d^2 na nb / n err by
    2 sqrt(S) X + X^2. In these orders na >= nb in every merge.

    A reciprocal is one rounding more in eta. A merged mean that is a weighted average is rounded in proportion to
    (na |mean_a| + nb |mean_b|) / n <= sqrt((na mean_a^2 + nb mean_b^2) / n), altogether to sqrt(Q)."""
    b = a.b
    eta = a.phi(2 + 2 * a.c + reciprocal)
    x = np.zeros_like(a.s)
    e = np.zeros_like(a.s)
    if b > 1:
        g = np.exp(b * np.log1p(a.u) + eta * (1 + np.log(b)))
        steps = b * (b + 1) / 2 + 3 * b + 3 * (1 + np.log(b)) + 2
        tiny = np.sqrt(a.n) * b * a.eta1
        x = g * (eta * (1 + a.u) * np.sqrt(2.0) * a.root_s + 2 / 3 * a.u * b * (1 + 1 / b) ** 1.5 * a.root_q + tiny)
        e = g * (
            eta * (1 + a.u) * np.sqrt(2 * (1 + np.log(b))) * a.root_s + 2 / 3 * a.u * np.sqrt(steps) * a.root_q + tiny
        )
    off = (2.0 if west else 1 + np.sqrt(2.0)) * a.root_s * e + e**2
    squares = np.zeros_like(a.s)
    worst = e + x
    weight = a.phi(3 + 4 * a.c) + 2 * a.weight
    for _ in range(a.m):
        squares = squares + x**2
        if weighted:
            average = a.phi(4 + 4 * a.c)
            x = x * (1 + average) + average * a.root_q + 3 * np.sqrt(a.n) * a.eta1
        else:
            x = (1 + a.u) * (x * (1 + weight) + weight * a.root_s) + a.u * a.root_q + np.sqrt(a.n) * a.eta1
        worst = np.maximum(worst, x)
    off = off + 2 * a.root_s * np.sqrt(squares) + squares
    rounding = a.phi(7 + 4 * a.c + b + 2 * a.m) + 2 * a.weight
    m2 = off + rounding * (a.s + off) + 2 * a.n * (1 + rounding) * a.eta2
    span = (a.rows.spread + 2 * worst) * (1 + 4 * a.u)
    inside = np.maximum(span**2, (a.s + off) * (1 + rounding))
    if west:
        m2 = m2 + 4 * a.n**1.5 * (a.root_s + np.sqrt(a.n) * worst) * a.eta1
        return _bound(x / np.sqrt(a.n), m2, a.within(a.n * span, inside))
    sums = np.maximum(span, 2 * a.n * (a.rows.mean + a.rows.spread + worst)) if weighted and a.m else span
    return _bound(x / np.sqrt(a.n), m2, a.within(sums, inside, count=a.n**2 if weighted and a.m else 0.0))


def _compensated(a: _Setting, k: float) -> Bound:
    """`_two_pass` with sums that err by k times the sum of magnitudes."""
    mean = a.mean_of_sum(k)
    lost = a.n * mean**2
    rounding = (1 + a.phi(3)) * (1 + k) - 1
    m2 = lost + rounding * (a.s + lost) + 2 * a.n * (1 + k) * a.eta2
    sums = 2 * np.sqrt(a.n * a.q) * (1 + k)
    return _bound(mean, m2, a.within(sums, 2 * (a.s + lost) * (1 + rounding)))


def _kahan(a: _Setting) -> Bound:
    """With e the compensation, s - e errs by u |v - e| and (two subtractions) by u |v| + 2 u^2 |s| a step, and
    |e| <= 4 u max |s|: together less than 6.1 u + 11 n u^2, as long as n u^2 is small; a merge adds 2.1 u a level."""
    u = a.u
    if a.b * u * u > 1 / 256 or a.m * u > 1 / 256:
        return _compensated(a, np.inf)
    return _compensated(a, 1.2 * (6.1 * u + 2.1 * u * a.m + 11 * a.b * u * u + 40 * a.m * u * u))


def _neumaier(a: _Setting) -> Bound:
    """Each level of the sum makes rounding errors of u sum |x| at most; these are known exactly and summed with
    phi(b + 2 m); one more rounding adds them to the sum."""
    errors = a.u * a.h * (1 + a.phi(a.h))
    return _compensated(a, a.u + (1 + a.u) * a.phi(a.b + 2 * a.m) * errors)


def _double_double(a: _Setting) -> Bound:
    """Sums err by 12 u^2 an addition (Joldes, Muller, Popescu 2017, doi:10.1145/3121432, have 3 u^2 for
    normalised operands), a deviation (x - c) - c' by u^2 (|x - c| + |c|), its square by 10 u^2; the answers
    are the high parts: u."""
    u = a.u
    u2 = u * u
    total = a.phi(a.h, 12 * u2)
    mean = (total + (1 + total) * (8 * u2 + 2 * u * a.c)) * np.sqrt(a.q / a.n) + 4 * a.eta1
    qc = a.s + a.n * mean**2
    deviations = 1.1 * u2 * (np.sqrt(qc) + a.root_q + np.sqrt(a.n) * mean)
    e = np.sqrt(a.n) * mean + deviations + 4 * a.n * a.eta1
    off = 2 * a.root_s * e + e**2
    rounding = a.phi(a.h + 4, 12 * u2) + 10 * u2
    m2 = off + rounding * (a.s + off)
    m2 = m2 + u * (a.s + m2) + 8 * a.n * (1 + rounding) * a.eta2
    ok = a.within(2 * np.sqrt(a.n * a.q) * (1 + total), 2 * (a.s + m2))
    return _bound(mean + u * (a.rows.mean + mean), m2, ok)


def _fast(a: _Setting) -> Bound:
    """Blocks by the corrected two-pass in float64, then merges of (count, mean, M2) with the means as pairs.

    In a block no value takes part in more than h additions; the squares of what the blocks' means c and means err by,
    weighted with their counts, add up over the blocks (e_c^2 and x^2), and so do S and Q. A merge's difference of means
    is known to 6 u of itself and 12 u^2 of the means.
    """
    per_block = min(a.n, BLOCK)
    h = np.ceil(per_block / (2 * LANES)) + np.log2(2 * LANES) + LANES
    first, second = a.phi(h + 1), a.phi(h + 3)
    tiny = 12 * a.u**2 * a.root_q
    c = first * a.root_q + np.sqrt(a.n) * a.eta1
    qc = a.s + c**2
    x = second * np.sqrt(qc) + np.sqrt(a.n) * a.eta1 + tiny
    square = (2 * c * first * np.sqrt(qc) + first**2 * qc) * (1 + a.phi(2)) + a.phi(2) * c**2
    off = (1 + a.u) * (second * qc + square) + a.u * a.s
    levels = (-(-int(a.n) // BLOCK) - 1).bit_length()
    squares = np.zeros_like(a.s)
    for _ in range(levels):
        squares = squares + (x + tiny) ** 2
        x = (1 + a.u) * (x * (1 + a.phi(6)) + a.phi(6) * a.root_s) + tiny + np.sqrt(a.n) * a.eta1
    off = off + 2 * a.root_s * np.sqrt(squares) + squares
    rounding = a.phi(8 + 2 * levels)
    m2 = off + rounding * (a.s + off) + (3 * a.n + 8) * a.eta2
    mean = x / np.sqrt(a.n)
    span = a.rows.spread + 2 * (x + c)
    ok = a.within(np.full_like(a.s, 2.0 * BLOCK), np.maximum(2 * span**2, a.s + m2))
    return _bound(mean + a.u * (a.rows.mean + mean), m2, ok)


def _exact(a: _Setting) -> Bound:
    """The mean is rounded once; the variance does not see M2's rounding, only its own (`variance_bound`)."""
    none = np.zeros_like(a.s)
    return Bound((a.u * a.rows.mean + a.eta1) * _SLACK, none)


def _bound(mean: Floats, m2: Floats, ok: NDArray[np.bool_]) -> Bound:
    return Bound(np.where(ok, mean * _SLACK, np.inf), np.where(ok, m2 * _SLACK, np.inf))


_FORMULAS: dict[str, Callable[[_Setting], Bound]] = {
    "naive": _naive,
    "shifted_first": lambda a: _shifted(a, a.rows.first),
    "shifted": lambda a: _shifted(a, a.rows.centre),
    "two_pass": _two_pass,
    "corrected_two_pass": _corrected_two_pass,
    "youngs_cramer": _youngs_cramer,
    "welford": _recurrence,
    "west": lambda a: _recurrence(a, west=True),
    "chan": _recurrence,
    "chan_reciprocal": lambda a: _recurrence(a, reciprocal=True),
    "chan_weighted": lambda a: _recurrence(a, weighted=True),
    "kahan_two_pass": _kahan,
    "neumaier_two_pass": _neumaier,
    "double_double": _double_double,
    "fast": _fast,
    "exact": _exact,
}


def bounds(algorithm: Algorithm, fmt: Format, rows: Rows) -> Bound:
    """Rigorous bounds of the errors of mean and M2, in the rows' scaled units.

    Infinite where there is no guarantee (something may overflow, or the premises of the analysis fail), NaN for an
    algorithm whose formula is not one of this package's.

    Parameters
    ----------
    algorithm : the formula and its order.
    fmt : the accumulator, in which every operation is rounded.
    rows : what the data are like; exact, or rounded up by less than 1e-10.
    """
    if not algorithm.builtin:
        unknown = np.full_like(rows.s, np.nan)
        return Bound(unknown, unknown)
    shape = geometry(algorithm.parts[1], rows.n) if algorithm.parts else (1, 0)
    return formula_bounds(algorithm.formula, fmt, rows, *shape)


def formula_bounds(formula: str, fmt: Format, rows: Rows, b: int, m: int) -> Bound:
    """`bounds` of one of this package's formulas, at most b values taken by one state, and then at most m merges.

    They hold for contracted products too: a product that is not rounded is one with delta = 0.

    Parameters
    ----------
    formula : its name.
    fmt, rows : as for `bounds`.
    b, m : as `geometry` answers them.

    Raises
    ------
    KeyError
        The formula is not one of this package's.
    """
    with np.errstate(all="ignore"):
        found = _FORMULAS[formula](_Setting(rows, fmt, b, m))
        # inf times 0, or inf - inf, is no statement
        return Bound(_infinite(found.mean), _infinite(found.m2))


def _infinite(bound: Floats) -> Floats:
    return np.where(np.isnan(bound), np.inf, bound)


def variance_bound(m2: Floats, rows: Rows, correction: float, fmt: Format) -> Floats:
    """Bound of |computed - exact| of M2 / (n - correction), in the rows' scaled units squared.

    The division is done in float64 and rounded to the format: three more roundings of float64 and one of the
    format (two where a bfloat16 is reached by way of float32). NaN where n <= correction.

    Parameters
    ----------
    m2 : the bound of M2, float64 array (rows,), in the scaled units squared.
    rows : the same rows.
    correction : what n is lessened by.
    fmt : the format of the answers.
    """
    u = float(fmt.unit_roundoff)
    rounding = u + 2.0**-24 * (u > 2.0**-24) + 4 * 2.0**-53
    with np.errstate(all="ignore"):
        divisor = rows.n - correction if rows.n > correction else np.nan
        tiny = np.ldexp(float(fmt.smallest_subnormal), -2 * rows.k)
        bound = (m2 + rounding * (rows.s + m2)) / divisor * _SLACK + tiny
        fits = (rows.s + m2) / divisor * (1 + rounding) <= np.ldexp(float(fmt.largest), -2 * rows.k)
        return np.where(fits | np.isnan(bound), bound, np.inf)


def relative_bound(algorithm: Algorithm, fmt: Format, n: int, kappa: ArrayLike) -> Floats:
    """The bound of |computed - exact| / exact of the variance of n values with condition number kappa.

    As `bounds` has it, without overflow and underflow; for a shift by the first value, the farthest that a value
    of such a row can lie. For theory lines.

    Parameters
    ----------
    algorithm, fmt, n : as for `bounds`. kappa : numbers >= 1.
    """
    k = np.atleast_1d(np.asarray(kappa, dtype=np.float64))
    # Scaled to S = 1, and far from the ends of every format's range.
    one = np.ones_like(k)
    far = np.full_like(k, np.sqrt((n - 1) / n))
    rows = Rows(n, np.zeros(k.shape, np.int64), np.sqrt((k**2 - 1) / n), one, k**2, 2 * one, far, np.nan * one)
    if n > fmt.largest:
        return np.full_like(k, np.inf)  # the count itself is no number of the format
    endless = replace(fmt, emin=-1000, emax=1022)
    found = bounds(algorithm, endless, rows)
    return variance_bound(found.m2, rows, 0.0, endless) * n
