"""The rounding test: from sums about a shift to answers that are certain to be the correctly rounded ones.

Ziv 1991 (doi:10.1145/114697.116813): where both ends of an interval that holds the exact value round to the same number
of the result's format, that number is the correctly rounded answer. The intervals come from the sums themselves.

u = 2^-53, g(k) = k u / (1 - k u), S = sum (x - mean)^2, rounding to nearest, no contraction, no flush to zero. For any
shift c, with d = x - c, s = sum d and q = sum d^2, exactly

    S = q - s^2 / n,    mean = c + s / n,    sum |d| <= sqrt(n q),    |s| <= sqrt(n q)    (Cauchy, Schwarz).

**Values of at most 24 bits, sums in float64.** A difference has the error t d, |t| <= u (a float64 subtraction never
underflows; with |d| >= 2^-205 or d = 0 no square does). With at most k additions on a value's way into the sums:

    |q^ - q| <= g(k + 3) q,    |s^ - s| <= g(k + 1) sum |d| <= g(k + 1) sqrt(n q),
    |s^^2 / n - s^2 / n| <= (2 g(k + 1) + g(k + 1)^2) q, its own two roundings and that of the difference,
    |S^ - S| <= 3 g(k + 5) q^ + u |S^|    for k < 2^25.

So v = S^ / (n - c) is off by at most rel = 3 g(k + 5) q^ / S^ (1 + 2^-20) + 10 u of itself: 10 u covers the division,
n - c itself, which may be rounded, the root of a standard deviation, and the roundings of v (1 - rel) and
v (1 + rel). The mean c + s^ / n is off by at most g(k + 5) sqrt(q^ / n) (1 + 2^-20) + 3 u |mean|.
q^ = 0 only where every d is 0: all values equal c.

**float64 values, sums as double-doubles.** d = d_h + d_l exactly; per step d_h^2 = p + e exactly (fma), and only
d_l^2 <= u^2 d_h^2 is left out. In a lane of k values the low parts take in at most (k + 3) u (1 + g) of the sum, and
their own roundings are g(k + 2) of that; m merges (3 u^2 + 13 u^3 each, see `states.add_pairs`) follow:

    |q^ - q| <= G q + n 2^-1073,    |s^ - s| <= G sum |d|,    G = g(k + 8)^2 + 4 m u^2.

s^2 (5 u^2), its division by n (3.5 u^2) and the difference (3 u^2 |S|) give |S^ - S| <= (3 G + 20 u^2) q^ (1 + 2^-20) +
n 2^-1070 + 3 u^2 |S^|; the division by n - c, a double-double itself, and the root with one Newton step give
rel = E / S^ + 32 u^2. The mean is off by at most (G + 8 u^2) sqrt(q^ / n + 2^-1068) (1 + 2^-20) + 8 u^2 |mean| +
2^-1070.
These hold where nothing overflows and no error of a product underflows: q^ < 2^1000, S^ > 2^-900 and v > 2^-960;
what lies outside is left undecided.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.extending import overload

from ..formats import Format
from ..formulas.errorfree import fast_two_sum, two_sum
from ..jit import inline
from ..smallfloat import bits_of, fma_float, from_bits
from .states import add_pairs

__all__ = ["MEAN", "OVERFLOW", "STD", "VARIANCE", "decide", "format_numbers"]

# Rows of the table of answers.
MEAN, VARIANCE, STD = 0, 1, 2
# What `decide` answers where a variance or a standard deviation is beyond the format's largest number.
OVERFLOW = 1

_U = 2.0**-53
_ROUND_UP = 1.0 + 2.0**-20

# The bounds' constants. Tests reduce them (the steps of G and WIDE_SUMS together) until a built case errs by more.
NARROW_STEPS, NARROW_SUMS, NARROW_LAST = 5.0, 3.0, 10.0
WIDE_STEPS, WIDE_MERGE, WIDE_SUMS, WIDE_SQUARE, WIDE_LAST = 8.0, 4.0, 3.0, 20.0, 32.0


def format_numbers(fmt: Format) -> tuple[int, float, float, float]:
    """What rounding to a format takes: bits of a float64's significand that it lacks, its largest number, its smallest
    normal one, and 1.5 times the power of two whose float64 spacing is its smallest subnormal."""
    if fmt.precision == 53:
        return 0, float(fmt.largest), float(fmt.smallest_normal), 0.0
    magic = 1.5 * float(fmt.smallest_subnormal) * 2.0**52
    return 53 - fmt.precision, float(fmt.largest), float(fmt.smallest_normal), magic


@inline
def to_format(x, drop, largest, tiny, magic):  # type: ignore[no-untyped-def]
    """A finite float64 rounded to nearest, ties to even, in a format of at most 52 bits; inf beyond its largest."""
    small = (x + magic) - magic
    b = bits_of(x)
    odd = (b >> drop) & np.int64(1)
    r = from_bits((b + ((np.int64(1) << (drop - 1)) - np.int64(1) + odd)) & ~((np.int64(1) << drop) - np.int64(1)))
    r = r if abs(r) <= largest else r * np.inf
    return small if abs(x) < tiny else r


def decide(*of: Any) -> int:
    """Answers for the rows whose sums stand in a table: within kernels only."""
    raise RuntimeError("decide() runs within compiled kernels only")


@inline
def narrow_variance(s, q, n, depth, above):  # type: ignore[no-untyped-def]
    """The variance from sums of values of at most 24 bits, and the bound of its relative error, that of its root
    included; n: their number as float64. depth: additions on a value's longest way."""
    steps = (depth + NARROW_STEPS) * _U
    rest = q - s * s / n
    return rest / above, NARROW_SUMS * steps / (1.0 - steps) * _ROUND_UP * q / rest + NARROW_LAST * _U


@inline
def _narrow(state, sums, w, n, k, m, above, below, wants, numbers, out, first, ok):  # type: ignore[no-untyped-def]
    drop, largest, tiny, magic = numbers
    count = np.float64(n)
    steps = (np.float64(k + m) + NARROW_STEPS) * _U
    g = steps / (1.0 - steps)
    notes = 0
    shifts, linear, squares = sums[0], sums[1], sums[2]
    for j in range(w):
        ok[j] = True
    if wants & 1:
        answers = out[MEAN, first : first + w]
        for j in range(w):
            mean = shifts[j] + linear[j] / count
            error = g * math.sqrt(squares[j] / count) * _ROUND_UP + 3.0 * _U * abs(mean)
            low = to_format(mean - error, drop, largest, tiny, magic)
            high = to_format(mean + error, drop, largest, tiny, magic)
            signed = (low != 0.0) | (mean > error) | (-mean > error) | (squares[j] == 0.0)
            answers[j] = math.copysign(low, mean)
            ok[j] = (low == high) & (abs(low) <= largest) & signed
    for want in (VARIANCE, STD):
        if not wants & (1 << want):
            continue
        answers = out[want, first : first + w]
        over = 0
        for j in range(w):
            v, rel = narrow_variance(linear[j], squares[j], count, np.float64(k + m), above)
            if want == STD:
                v = math.sqrt(v)
            low = to_format(v * (1.0 - rel), drop, largest, tiny, magic)
            high = to_format(v * (1.0 + rel), drop, largest, tiny, magic)
            same = squares[j] == 0.0
            fine = (rel < 2.0**-10) & (v > 0.0) & (low == high)
            answers[j] = 0.0 if same else low
            ok[j] = ok[j] & (same | fine)
            over += fine & (low > largest)
        if over:
            notes |= OVERFLOW
    return notes


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
def wide_variance(s1, s2, q1, q2, n, growth, above, below):  # type: ignore[no-untyped-def]
    """The variance as a double-double from sums that are double-doubles, S, and the bound of the relative error, also
    of the root; n: the values' number as float64."""
    p = s1 * s1
    e = fma_float(s1, s1, -p) + 2.0 * (s1 * s2)
    p, e = fast_two_sum(p, e)
    high = p / n
    low = (fma_float(-high, n, p) + e) / n
    high, low = fast_two_sum(high, low)
    rest, low = add_pairs(q1, q2, -high, -low)
    high = rest / above
    low = (fma_float(-high, above, rest) + low - high * below) / above
    high, low = fast_two_sum(high, low)
    scale = (WIDE_SUMS * growth + WIDE_SQUARE * _U * _U) * _ROUND_UP
    return high, low, rest, (scale * q1 + n * 2.0**-1070) / rest + WIDE_LAST * _U * _U


@inline
def _wide(state, sums, w, n, k, m, above, below, wants, numbers, out, first, ok):  # type: ignore[no-untyped-def]
    largest = numbers[1]
    count = np.float64(n)
    both = wide_growth(np.float64(k), np.float64(m))
    notes = 0
    shifts, s_high, s_low, q_high, q_low = sums[0], sums[1], sums[2], sums[3], sums[4]
    for j in range(w):
        ok[j] = True
    if wants & 1:
        answers = out[MEAN, first : first + w]
        for j in range(w):
            s1, s2 = two_sum(s_high[j], s_low[j])
            q1 = q_high[j] + q_low[j]
            th = s1 / count
            tl = (fma_float(-th, count, s1) + s2) / count
            th, tl = fast_two_sum(th, tl)
            mean, low = add_pairs(shifts[j], 0.0, th, tl)
            error = (both + 8.0 * _U * _U) * math.sqrt(q1 / count + 2.0**-1068) * _ROUND_UP
            error += 8.0 * _U * _U * abs(mean) + 2.0**-1070
            a, b = ends(mean, low, error, numbers)
            signed = (a != 0.0) | (mean > error) | (-mean > error)
            answers[j] = math.copysign(a, mean)
            ok[j] = (q1 < 2.0**1000) & (a == b) & (abs(a) <= largest) & signed
    for want in (VARIANCE, STD):
        if not wants & (1 << want):
            continue
        answers = out[want, first : first + w]
        over = 0
        for j in range(w):
            s1, s2 = two_sum(s_high[j], s_low[j])
            q1, q2 = two_sum(q_high[j], q_low[j])
            high, low, rest, rel = wide_variance(s1, s2, q1, q2, count, both, above, below)
            fine = (q1 < 2.0**1000) & (rest > 2.0**-900) & (high > 2.0**-960) & (rel < 2.0**-20)
            if want == STD:
                root = math.sqrt(high)
                low = (fma_float(-root, root, high) + low) / (2.0 * root)
                high, low = fast_two_sum(root, low)
            a, b = ends(high, low, rel * high * _ROUND_UP, numbers)
            same = (q1 == 0.0) & (abs(shifts[j]) >= 2.0**-480)
            fine = fine & (a == b)
            answers[j] = 0.0 if same else a
            ok[j] = ok[j] & (same | fine)
            over += fine & (a > largest)
        if over:
            notes |= OVERFLOW
    return notes


@overload(decide)
def _decide(state, sums, w, n, k, m, above, below, wants, numbers, out, first, ok):  # type: ignore[no-untyped-def]
    """Answers of the w rows of a table of sums (shift, then what `states` keeps): out[:, first + j], and ok[j] where
    all that are wanted are certain. Answers OVERFLOW where one is infinite.

    state : empty sums, which say of what kind the table's are. n : values in a row; k : additions on the longest way of
    a value in its lane; m : merges after them. above, below : n - correction as a double-double. wants : 1 for means,
    2 for variances, 4 for standard deviations. numbers : `format_numbers`.
    """
    return _narrow if len(state) == 2 else _wide
