"""The bounds hold, and none of their constants can be made much smaller: each mutant errs on a case built for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
import pytest

from varkernels.certified import deciding
from varkernels.certified.terms import add_pairs
from varkernels.jit import fresh_njit

U = Fraction(1, 2**53)


@cache
def compiled(name: str, **constants: float) -> Callable[..., Any]:
    """A function of `deciding` with other constants."""
    function = getattr(deciding, name)
    other = FunctionType(function.__code__, function.__globals__ | constants, name)
    kernel: Callable[..., Any] = fresh_njit(other)
    return kernel


def relative(found: float | Fraction, exact: Fraction) -> Fraction:
    return abs(Fraction(found) - exact) / exact


# Values of at most 24 bits -------------------------------------------------------------------------------------------


def sequential(d: np.ndarray[Any, Any]) -> tuple[float, float]:
    """s and q as one lane sums them."""
    s = q = 0.0
    for x in d.tolist():
        s, q = s + x, q + x * x
    return s, q


def narrow_case(n: int, shift: float) -> tuple[np.ndarray[Any, Any], float, float, Fraction]:
    """Differences whose squares all round one way in their sum; s, q, and the exact variance."""
    d = np.full(n, shift) + (np.arange(n) % 3 == 0) * 2.0**-10
    s, q = sequential(d)
    exact = [Fraction(x) for x in d.tolist()]
    total = sum(exact, Fraction(0))
    return d, s, q, (sum((x * x for x in exact), Fraction(0)) - total * total / n) / n


NARROW = [(n, shift) for n in (3, 10, 100, 1000, 3000) for shift in (0.1, 0.7, 1.3, 3.3)]


def narrow_interval(s: float, q: float, n: int, depth: float, **constants: float) -> tuple[float, float]:
    """The ends between which the population variance must lie, with other constants of `deciding`."""
    by = 1.0 / float(n)
    scale = compiled("narrow_scale", **constants)(depth)
    least, most = compiled("narrow_least", **constants)(by), compiled("narrow_most", **constants)(by)
    ends: tuple[float, float] = compiled("narrow_ends")(s, q, by, scale, least, most)
    return ends


@pytest.mark.parametrize(("n", "shift"), NARROW)
def test_the_bound_for_narrow_values_holds(n: int, shift: float) -> None:
    _, s, q, exact = narrow_case(n, shift)
    low, high = narrow_interval(s, q, n, float(n))
    assert Fraction(low) <= exact <= Fraction(high)


def failures(cases: list[tuple[float, float, int, float, Fraction]], **constants: float) -> int:
    """How often the exact variance lies outside of the interval, for (s, q, n, depth, exact variance)."""
    count = 0
    for s, q, n, depth, exact in cases:
        low, high = narrow_interval(s, q, n, depth, **constants)
        count += not Fraction(low) <= exact <= Fraction(high)
    return count


def test_a_sixteenth_of_the_sums_is_too_little() -> None:
    cases = [(s, q, n, float(n), v) for n, c in NARROW for _, s, q, v in [narrow_case(n, c)]]
    assert not failures(cases)
    assert failures(cases, NARROW_SUMS=3.0 / 16)


def test_half_a_step_for_two_values_is_too_little() -> None:
    """Two values far from their shift, so that S is a small difference: its error is that of q and s^2 / n."""
    cases = []
    for k in range(200):
        d = np.array([1.0 + k / 301, 1.0 + k / 301 + 2.0**-9])
        s, q = sequential(d)
        first, second = (Fraction(x) for x in d.tolist())
        cases.append((s, q, 2, 2.0, (first - second) ** 2 / 4))
    assert not failures(cases)
    assert failures(cases, NARROW_STEPS=-1.5)


def test_nothing_for_what_follows_the_sums_is_too_little() -> None:
    """Sums that are exact: what is left is the product with a rounded 1 / n."""
    cases = [(0.0, float(q), n, 0.0, Fraction(q, n)) for q in range(1, 20) for n in range(2, 40)]
    assert not failures(cases, NARROW_SUMS=0.0)
    assert failures(cases, NARROW_SUMS=0.0, NARROW_LAST=0.5)


def mean_failures(cases: list[tuple[float, float, float, int, float, Fraction]], **constants: float) -> int:
    """How often a mean is off by more than its bound, for (shift, s, q, n, steps, exact mean)."""
    count = 0
    for shift, s, q, n, steps, exact in cases:
        mean, bound = compiled("narrow_mean", **constants)(shift, s, q, 1.0 / n, steps * 2.0**-53)
        count += abs(Fraction(mean) - exact) > Fraction(bound)
    return count


def test_a_tenth_of_the_growth_of_a_mean_is_too_little() -> None:
    """Sums of one sign, whose roundings all go one way, about a shift that takes the mean back to nearly 0."""
    cases = []
    for n, c in NARROW:
        d, s, q, _ = narrow_case(n, c)
        exact = sum((Fraction(x) for x in d.tolist()), Fraction(0)) / n
        cases.append((-float(exact), s, q, n, n + deciding.NARROW_STEPS, exact - Fraction(float(exact))))
    assert not mean_failures(cases)
    assert mean_failures([(*case[:4], case[4] / 10.0, case[5]) for case in cases])


def test_half_a_unit_of_a_mean_is_too_little() -> None:
    cases = [(0.0, float(s), 0.0, n, 0.0, Fraction(s, n)) for s in range(1, 60) for n in range(2, 60)]
    assert not mean_failures(cases)
    assert mean_failures(cases, NARROW_MEAN=0.5)


# float64 values ------------------------------------------------------------------------------------------------------


def pair(exact: Fraction) -> tuple[float, float]:
    high = float(exact)
    return high, float(exact - Fraction(high))


def two_sum(a: float, b: float) -> tuple[float, float]:
    s = a + b
    return s, float(Fraction(a) + Fraction(b) - Fraction(s))


def wide_lane(d: list[float]) -> tuple[float, float, float, float]:
    """s and q as one lane sums differences that are single numbers."""
    sh = sl = qh = ql = 0.0
    for x in d:
        sh, e = two_sum(sh, x)
        sl += e
        p = x * x
        qh, e = two_sum(qh, p)
        ql += e + float(Fraction(x) ** 2 - Fraction(p))
    return (*two_sum(sh, sl), *two_sum(qh, ql))


def wide_failures(cases: list[Any], growth: float | None = None, **constants: float) -> int:
    """How often the bound is smaller than the error, for (sums, n, lane, exact sum of squared deviations)."""
    variance, grown = compiled("wide_variance", **constants), compiled("wide_growth", **constants)
    divisors = compiled("divisors")
    count = 0
    for sums, n, lane, exact in cases:
        g = grown(float(lane), 0.0) if growth is None else growth
        high, low, _, bound = variance(*sums, g, *divisors(n, float(n), 0.0))
        count += abs(Fraction(high) + Fraction(low) - exact / n) > Fraction(bound)
    return count


def test_the_growth_of_a_lane_is_bounded_and_a_tenth_of_its_steps_is_not_enough() -> None:
    cases = []
    for n, start in ((500, 1.1), (500, 1.7), (1000, 1.3)):
        d = [start + i * 2.0**-30 / 3.0 for i in range(n)]
        exact = [Fraction(x) for x in d]
        total = sum(exact, Fraction(0))
        cases.append((wide_lane(d), n, n, sum((x * x for x in exact), Fraction(0)) - total * total / n))
    assert not wide_failures(cases)
    assert wide_failures(cases, growth=0.0, WIDE_SQUARE=0.0)


def test_a_merge_adds_at_most_three_units_and_more_than_one() -> None:
    rng = np.random.default_rng(1)
    worst = Fraction(0)
    add = fresh_njit(add_pairs)
    for _ in range(30_000):
        a = pair(Fraction(float(rng.uniform(1, 2))) + Fraction(float(rng.uniform(-1, 1))) * U)
        b = pair(Fraction(float(rng.uniform(0, 1))) + Fraction(float(rng.uniform(-1, 1))) * U / 2)
        exact = sum((Fraction(x) for x in (*a, *b)), Fraction(0))
        high, low = add(*a, *b)
        worst = max(worst, relative(Fraction(high) + Fraction(low), exact))
    assert U**2 < worst <= 3 * U**2 + 13 * U**3
    assert deciding.WIDE_MERGE * U**2 > 3 * U**2 + 13 * U**3


def test_nothing_for_the_square_is_too_little() -> None:
    """q exact, s^2 / n close to it: the square, its division and the difference are what errs."""
    rng = np.random.default_rng(2)
    cases = []
    for _ in range(2000):
        n = int(rng.integers(3, 1000))
        s = Fraction(float(rng.uniform(1, 2))) + Fraction(float(rng.uniform(-1, 1))) * U
        s = sum((Fraction(x) for x in pair(s)), Fraction(0))
        q = sum((Fraction(x) for x in pair(s * s / n * (1 + Fraction(1, 2**20)))), Fraction(0))
        cases.append(((*pair(s), *pair(q)), n, 0, q - s * s / n))
    assert not wide_failures(cases, growth=0.0)
    assert wide_failures(cases, growth=0.0, WIDE_SQUARE=1.0)


def test_nothing_for_what_follows_the_difference_is_too_little() -> None:
    """S exact: what is left is its division by n."""
    rng = np.random.default_rng(3)
    cases = []
    for _ in range(2000):
        n = int(rng.integers(3, 1000))
        q = Fraction(float(rng.uniform(1, 2))) + Fraction(float(rng.uniform(-1, 1))) * U
        q = sum((Fraction(x) for x in pair(q)), Fraction(0))
        cases.append(((0.0, 0.0, *pair(q)), n, 0, q))
    assert not wide_failures(cases, growth=0.0, WIDE_SQUARE=0.0)
    assert wide_failures(cases, growth=0.0, WIDE_SQUARE=0.0, WIDE_LAST=0.5)


def test_a_root_is_within_half_of_the_bound_and_a_little() -> None:
    """What `decide` does with a variance's pair: one Newton step from the rounded root."""
    rng = np.random.default_rng(4)
    for _ in range(2000):
        v = Fraction(float(rng.uniform(1, 4))) + Fraction(float(rng.uniform(-1, 1))) * U
        high, low = pair(v)
        exact = Fraction(high) + Fraction(low)
        root = math.sqrt(high)
        step = float((Fraction(high) - Fraction(root) ** 2 + Fraction(low)) / (2 * Fraction(root)))
        got = Fraction(root) + Fraction(step)
        assert abs(got * got - exact) <= 2 * 2 * U**2 * exact + U**2 * exact


def wide_mean_failures(cases: list[Any], growth: float, **constants: float) -> int:
    """How often a mean is off by more than its bound, for (shift, s as a pair, q, n, exact mean)."""
    count = 0
    for shift, s, q, n, exact in cases:
        _, by_n, by_n_low, _, _ = compiled("divisors")(n, float(n), 0.0)
        mean, low, bound = compiled("wide_mean", **constants)(shift, *s, q, growth, by_n, by_n_low)
        count += abs(Fraction(mean) + Fraction(low) - exact) > Fraction(bound)
    return count


def mean_cases(shift: Callable[[Fraction], float]) -> list[Any]:
    """Sums of n values about a shift, which depends on s / n; q as small as it can be."""
    rng, cases = np.random.default_rng(5), []
    for _ in range(2000):
        n = int(rng.integers(3, 1000))
        s = pair(Fraction(float(rng.uniform(1, 2))) + Fraction(float(rng.uniform(-1, 1))) * U)
        quotient = (Fraction(s[0]) + Fraction(s[1])) / n
        c = shift(quotient)
        cases.append((c, s, float(quotient) * s[0], n, quotient + Fraction(c)))
    return cases


def test_nothing_for_the_quotient_of_a_mean_is_too_little() -> None:
    """The shift takes the mean back to nearly 0, so that what is left is the error of s / n."""
    cases = mean_cases(lambda quotient: -float(quotient))
    assert not wide_mean_failures(cases, growth=0.0)
    assert wide_mean_failures(cases, growth=0.0, WIDE_QUOTIENT=0.5)


def test_nothing_for_the_sum_of_a_mean_is_too_little() -> None:
    """A mean that is large next to s / n."""
    cases = mean_cases(lambda quotient: 4096.0 / 3.0 + float(quotient))
    assert not wide_mean_failures(cases, growth=0.0)
    assert wide_mean_failures(cases, growth=0.0, WIDE_MEAN=1.0 / 64)
