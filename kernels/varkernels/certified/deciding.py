"""The rounding test: from sums about a shift to answers that are certain to be the correctly rounded ones.

Ziv 1991 (doi:10.1145/114697.116813): where both ends of an interval that holds the exact value round to the same number
of the result's format, that number is the correctly rounded answer. The intervals come from the sums themselves.

u = 2^-53, g(k) = k u / (1 - k u), S = sum (x - mean)^2, rounding to nearest, no contraction, no flush to zero. For any
shift c, with d = x - c, s = sum d and q = sum d^2, exactly

    S = q - s^2 / n,    mean = c + s / n,    sum |d| <= sqrt(n q),    |s| <= sqrt(n q)    (Cauchy, Schwarz).

No row is divided by anything: 1 / n and 1 / (n - correction) are known before, as a number or as a pair of them.

**Values of at most 24 bits, sums in float64.** A difference has the error t d, |t| <= u (a float64 subtraction never
underflows; with |d| >= 2^-205 or d = 0 no square does). With at most k additions on a value's way into the sums:

    |q^ - q| <= g(k + 3) q,    |s^ - s| <= g(k + 1) sum |d| <= g(k + 1) sqrt(n q),
    |s^^2 / n - s^2 / n| <= (2 g(k + 1) + g(k + 1)^2) q, its own three roundings and that of the difference,
    |S^ - S| <= E + u |S^|,    E = 3 g(k + 5) q^ (1 + 2^-20)    for k < 2^25.

So the variance lies between (S^ - E) b (1 - 10 u) and (S^ + E) b (1 + 10 u), b = 1 / (n - correction): 10 u covers u of
S^, 2 u of b, and the roundings of the difference, of 1 - 10 u and of two products, 7 u in all; the standard deviation
lies between the ends' roots, since half of 7 u and the root's own u are less than 5 u. The mean c + s^ / n is off by at
most g(k + 5) sqrt(q^ / n) (1 + 2^-20) + 3 u |mean|. q^ = 0 only where every d is 0: all values equal c.

**float64 values, sums as double-doubles.** d = d_h + d_l exactly; per step d_h^2 = p + e exactly (fma), and only
d_l^2 <= u^2 d_h^2 is left out. In a lane of k values the low parts take in at most (k + 3) u (1 + g) of the sum, and
their own roundings are g(k + 2) of that; m merges (3 u^2 + 13 u^3 each, see `states.add_pairs`) follow:

    |q^ - q| <= G q + n 2^-1073,    |s^ - s| <= G sum |d|,    G = g(k + 8)^2 + 4 m u^2.

A product of two pairs is off by 8 u^2 (`states.multiply_pairs`), 1 / n as a pair by u^2 and 1 / (n - correction), n -
correction being a pair itself, by 7 u^2. So s^2 (6 u^2), its product with 1 / n (9 u^2) and the difference (3 u^2 |S|)
give |S^ - S| <= E + 3 u^2 |S^|, E = (3 G + 20 u^2) q^ (1 + 2^-20) + n 2^-1020; the product with 1 / (n - correction)
(15 u^2), the root with one Newton step (7 u^2) and the sum of the lower number and the error (u^2) follow, for which 32
u^2 are taken. The mean is off by at most (G + 12 u^2) sqrt(q^ / n + 2^-1020) (1 + 2^-20) + 8 u^2 |mean| + 2^-1020.
(2^-1020 is more than what underflows, and no subnormal number, which would be slow.)
These hold where nothing overflows and no error of a product underflows: q^ < 2^1000, S^ > 2^-900 and v > 2^-960;
what lies outside is left undecided.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from ..formats import FORMATS, Format
from ..formulas.errorfree import fast_two_sum, two_sum
from ..inlining import inline
from ..smallfloat import bits_of, fma_float, from_bits
from .states import multiply_pairs
from .terms import OVERFLOW, STD, VARIANCE, add_pairs

__all__ = [
    "SINGLE",
    "decide",
    "decide_wide",
    "divisors",
    "numbers_of",
    "rounded_both",
    "row_of",
    "undecided",
]

_U = 2.0**-53
_ROUND_UP = 1.0 + 2.0**-20

# The bounds' constants. Tests reduce them (the steps of G and WIDE_SUMS together) until a built case errs by more.
NARROW_STEPS, NARROW_SUMS, NARROW_LAST, NARROW_MEAN = 5.0, 3.0, 10.0, 3.0
WIDE_STEPS, WIDE_MERGE, WIDE_SUMS, WIDE_SQUARE, WIDE_LAST = 8.0, 4.0, 3.0, 20.0, 32.0
WIDE_QUOTIENT, WIDE_MEAN = 12.0, 8.0


def _numbers_in(fmt: Format) -> tuple[int, float, float, float]:
    """What rounding to a format takes: bits of a float64's significand that it lacks, its largest number, its smallest
    normal one, and 1.5 times the power of two whose float64 spacing is its smallest subnormal."""
    if fmt.precision == 53:
        return 0, float(fmt.largest), float(fmt.smallest_normal), 0.0
    magic = 1.5 * float(fmt.smallest_subnormal) * 2.0**52
    return 53 - fmt.precision, float(fmt.largest), float(fmt.smallest_normal), magic


# What rounding to a format takes, in the order of `CODES`.
_NUMBERS = tuple(_numbers_in(fmt) for fmt in FORMATS.values())
# Bits that float32 lacks.
SINGLE = 29


@inline
def numbers_of(code):  # type: ignore[no-untyped-def]
    """What rounding to the format of a code takes."""
    return _NUMBERS[code]


@inline
def to_format(x, drop, largest, tiny, magic):  # type: ignore[no-untyped-def]
    """A finite float64 rounded to nearest, ties to even, in a format of at most 52 bits; inf beyond its largest."""
    small = (x + magic) - magic
    b = bits_of(x)
    odd = (b >> drop) & np.int64(1)
    r = from_bits((b + ((np.int64(1) << (drop - 1)) - np.int64(1) + odd)) & ~((np.int64(1) << drop) - np.int64(1)))
    r = r if abs(r) <= largest else r * np.inf
    return small if abs(x) < tiny else r


@inline
def divisors(n, above, below):  # type: ignore[no-untyped-def]
    """(n, 1 / n as a pair, 1 / (above + below) as a pair), which `decide` takes; float64. above + below: n less the
    correction, a double-double."""
    count = np.float64(n)
    by_n, by = 1.0 / count, 1.0 / above
    return count, by_n, fma_float(-by_n, count, 1.0) / count, by, (fma_float(-by, above, 1.0) - by * below) / above


def at(value: Any, j: int) -> Any:
    """A row's number: value[j], or value where all rows have the same. Within kernels only."""
    raise RuntimeError("at() runs within compiled kernels only")


@overload(at)
def _at(value, j):  # type: ignore[no-untyped-def]
    return (lambda value, j: value[j]) if isinstance(value, types.Array) else (lambda value, j: value)


def decide(*of: Any) -> Any:
    """Answers for the rows whose sums stand in a table: within kernels only."""
    raise RuntimeError("decide() runs within compiled kernels only")


@inline
def row_of(want, wants):  # type: ignore[no-untyped-def]
    """The row of the table of answers that holds what is wanted."""
    below = wants & ((1 << want) - 1)
    return (below & 1) + (below >> 1 & 1)


@inline
def undecided(out, first, w, which):  # type: ignore[no-untyped-def]
    """How many of the w rows from out[:, first] on have a NaN among their answers, which marks what `decide` could not
    decide; their places, 0 for the first row, stand at the start of `which`."""
    count = 0
    for j in range(w):
        found = np.isnan(out[0, first + j])
        for i in range(1, out.shape[0]):
            found |= np.isnan(out[i, first + j])
        which[count] = j
        count += found
    return count


@inline
def narrow_ends(s, q, by_n, scale, least, most):  # type: ignore[no-untyped-def]
    """The interval that holds the variance, from sums of values of at most 24 bits. scale: E / q;
    least, most: 1 / (n - correction), less and plus 10 u."""
    rest = q - s * s * by_n
    error = scale * q
    return (rest - error) * least, (rest + error) * most


@inline
def narrow_scale(depth):  # type: ignore[no-untyped-def]
    """E / q, for so many additions on a value's longest way."""
    steps = (depth + NARROW_STEPS) * _U
    return NARROW_SUMS * steps / (1.0 - steps) * _ROUND_UP


@inline
def narrow_least(by):  # type: ignore[no-untyped-def]
    return by * (1.0 - NARROW_LAST * _U)


@inline
def narrow_most(by):  # type: ignore[no-untyped-def]
    return by * (1.0 + NARROW_LAST * _U)


@inline
def rounded_both(low, high, single, numbers):  # type: ignore[no-untyped-def]
    """Both ends of an interval rounded to a format, which is float32 where `single`."""
    if single:
        return np.float64(np.float32(low)), np.float64(np.float32(high))
    drop, largest, tiny, magic = numbers
    return to_format(low, drop, largest, tiny, magic), to_format(high, drop, largest, tiny, magic)


@inline
def narrow_mean(shift, s, q, by_n, growth):  # type: ignore[no-untyped-def]
    """The mean from sums of values of at most 24 bits, and the bound of its error. growth: g(k + 5)."""
    mean = shift + s * by_n
    return mean, growth * math.sqrt(q * by_n) * _ROUND_UP + NARROW_MEAN * _U * abs(mean)


@inline
def _narrow_means(sums, w, each, growth, single, numbers, answers):  # type: ignore[no-untyped-def]
    failed = 0
    shifts, linear, squares = sums[0], sums[1], sums[2]
    for j in range(w):
        by_n = at(each[1], j)
        mean, error = narrow_mean(shifts[j], linear[j], squares[j], by_n, growth)
        low, high = rounded_both(mean - error, mean + error, single, numbers)
        signed = (low != 0.0) | (mean > error) | (-mean > error) | (squares[j] == 0.0)
        fine = (low == high) & (abs(low) <= numbers[1]) & signed
        answers[j] = math.copysign(low, mean) if fine else np.nan
        failed += not fine
    return failed


@inline
def _narrow_spreads(sums, w, each, scale, root, single, numbers, answers):  # type: ignore[no-untyped-def]
    failed, over = 0, 0
    linear, squares = sums[1], sums[2]
    for j in range(w):
        by = at(each[3], j)
        low, high = narrow_ends(linear[j], squares[j], at(each[1], j), scale, narrow_least(by), narrow_most(by))
        some = low > 0.0
        if root:
            low, high = math.sqrt(low), math.sqrt(high)
        low, high = rounded_both(low, high, single, numbers)
        same = squares[j] == 0.0
        fine = same | (some & (low == high))
        found = 0.0 if same else low
        answers[j] = found if fine else np.nan
        failed += not fine
        over += fine & (found > numbers[1])
    return failed, over


@inline
def _narrow(state, sums, w, each, k, m, wants, code, out, first):  # type: ignore[no-untyped-def]
    numbers = numbers_of(code)
    steps = (np.float64(k + m) + NARROW_STEPS) * _U
    growth, scale = steps / (1.0 - steps), narrow_scale(np.float64(k + m))
    failed, notes = 0, 0
    if wants & 1:
        answers = out[0, first : first + w]
        if numbers[0] == SINGLE:
            failed += _narrow_means(sums, w, each, growth, True, numbers, answers)
        else:
            failed += _narrow_means(sums, w, each, growth, False, numbers, answers)
    for want in (VARIANCE, STD):
        if not wants & (1 << want):
            continue
        answers = out[row_of(want, wants), first : first + w]
        if numbers[0] != SINGLE:
            left, over = _narrow_spreads(sums, w, each, scale, want == STD, False, numbers, answers)
        elif want == STD:
            left, over = _narrow_spreads(sums, w, each, scale, True, True, numbers, answers)
        else:
            left, over = _narrow_spreads(sums, w, each, scale, False, True, numbers, answers)
        failed += left
        notes |= OVERFLOW if over else 0
    return failed, notes


@inline
def ends(high, low, error, numbers):  # type: ignore[no-untyped-def]
    """The double-double high + low less and plus an error, each rounded to a format; by way of a float64 one step
    further out where the format is narrower, since rounding twice could err."""
    drop, largest, tiny, magic = numbers
    first = high + (low - error)
    last = high + (low + error)
    if drop == 0:
        return first, last
    first -= abs(first) * (2.0 * _U)
    last += abs(last) * (2.0 * _U)
    return to_format(first, drop, largest, tiny, magic), to_format(last, drop, largest, tiny, magic)


@inline
def wide_growth(lane, merges):  # type: ignore[no-untyped-def]
    """G: the error of a sum as a double-double, relative to the sum of the magnitudes."""
    steps = (lane + WIDE_STEPS) * _U
    steps = steps / (1.0 - steps)
    return steps * steps + WIDE_MERGE * merges * _U * _U


@inline
def wide_variance(s1, s2, q1, q2, growth, n, by_n, by_n_low, by, by_low):  # type: ignore[no-untyped-def]
    """The variance as a double-double from sums that are double-doubles, S, and the bound of the error, which relative
    to the variance is also one of the root's; the rest: `wide_growth` and `divisors`."""
    p = s1 * s1
    e = fma_float(s1, s1, -p) + 2.0 * (s1 * s2)
    p, e = fast_two_sum(p, e)
    high, low = multiply_pairs(p, e, by_n, by_n_low)
    rest, low = add_pairs(q1, q2, -high, -low)
    high, low = multiply_pairs(rest, low, by, by_low)
    scale = (WIDE_SUMS * growth + WIDE_SQUARE * _U * _U) * _ROUND_UP
    return high, low, rest, (scale * q1 + n * 2.0**-1020) * by * _ROUND_UP + WIDE_LAST * _U * _U * high


@inline
def wide_mean(shift, s1, s2, q1, growth, by_n, by_n_low):  # type: ignore[no-untyped-def]
    """The mean as a double-double from sums that are double-doubles, and the bound of its error."""
    th, tl = multiply_pairs(s1, s2, by_n, by_n_low)
    mean, low = add_pairs(shift, 0.0, th, tl)
    error = (growth + WIDE_QUOTIENT * _U * _U) * math.sqrt(q1 * by_n + 2.0**-1020) * _ROUND_UP
    return mean, low, error + (WIDE_MEAN * _U * _U * abs(mean) + 2.0**-1020)


@inline
def _wide_means(sums, w, each, growth, numbers, answers):  # type: ignore[no-untyped-def]
    failed = 0
    shifts, s_high, s_low, q_high, q_low = sums[0], sums[1], sums[2], sums[3], sums[4]
    for j in range(w):
        by_n, by_n_low = at(each[1], j), at(each[2], j)
        s1, s2 = two_sum(s_high[j], s_low[j])
        q1 = q_high[j] + q_low[j]
        mean, low, error = wide_mean(shifts[j], s1, s2, q1, at(growth, j), by_n, by_n_low)
        a, b = ends(mean, low, error, numbers)
        signed = (a != 0.0) | (mean > error) | (-mean > error)
        fine = (q1 < 2.0**1000) & (a == b) & (abs(a) <= numbers[1]) & signed
        answers[j] = math.copysign(a, mean) if fine else np.nan
        failed += not fine
    return failed


@inline
def _wide_spreads(sums, w, each, growth, root, numbers, answers):  # type: ignore[no-untyped-def]
    failed, over = 0, 0
    shifts, s_high, s_low, q_high, q_low = sums[0], sums[1], sums[2], sums[3], sums[4]
    for j in range(w):
        s1, s2 = two_sum(s_high[j], s_low[j])
        q1, q2 = two_sum(q_high[j], q_low[j])
        n, by_n, by_n_low, by, by_low = at(each[0], j), at(each[1], j), at(each[2], j), at(each[3], j), at(each[4], j)
        high, low, rest, error = wide_variance(s1, s2, q1, q2, at(growth, j), n, by_n, by_n_low, by, by_low)
        fine = (q1 < 2.0**1000) & (rest > 2.0**-900) & (high > 2.0**-960) & (error < 2.0**-20 * high)
        if root:
            first = math.sqrt(high)
            inverse = 1.0 / first
            low = (fma_float(-first, first, high) + low) * (0.5 * inverse)
            error = error * inverse * _ROUND_UP
            high, low = fast_two_sum(first, low)
        a, b = ends(high, low, error, numbers)
        same = (q1 == 0.0) & (abs(shifts[j]) >= 2.0**-480)
        fine = same | (fine & (a == b))
        found = 0.0 if same else a
        answers[j] = found if fine else np.nan
        failed += not fine
        over += fine & (found > numbers[1])
    return failed, over


@inline
def decide_wide(sums, w, each, growth, growth_of_mean, wants, code, out, first):  # type: ignore[no-untyped-def]
    """`decide` for sums as double-doubles. growth: G of the sums, of all rows or an array with one for each;
    growth_of_mean: that of s alone."""
    numbers = numbers_of(code)
    failed, notes = 0, 0
    if wants & 1:
        failed += _wide_means(sums, w, each, growth_of_mean, numbers, out[0, first : first + w])
    for want in (VARIANCE, STD):
        if not wants & (1 << want):
            continue
        answers = out[row_of(want, wants), first : first + w]
        if want == STD:
            left, over = _wide_spreads(sums, w, each, growth, True, numbers, answers)
        else:
            left, over = _wide_spreads(sums, w, each, growth, False, numbers, answers)
        failed += left
        notes |= OVERFLOW if over else 0
    return failed, notes


@inline
def _wide(state, sums, w, each, k, m, wants, code, out, first):  # type: ignore[no-untyped-def]
    growth = wide_growth(np.float64(k), np.float64(m))
    return decide_wide(sums, w, each, growth, growth, wants, code, out, first)


@overload(decide)
def _decide(state, sums, w, each, k, m, wants, code, out, first):  # type: ignore[no-untyped-def]
    """Answers of the w rows of a table of sums (shift, then what `states` keeps): out[:, first + j], NaN where it is
    not certain. Answers how many of them are NaN, and OVERFLOW where one is infinite.

    state : empty sums, which say of what kind the table's are. each : `divisors`, as numbers for all rows or arrays
    with one for each; k : additions on the longest way of a value in its lane; m : merges after them. wants : 1 for
    means, 2 for variances, 4 for standard deviations. code : the format's, of `CODES`. out : float32 or float64, with a
    row for each that is wanted.
    """
    return _narrow if len(state) == 2 else _wide
