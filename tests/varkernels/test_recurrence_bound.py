"""The recurrences' bound: the identity that it rests on, in fractions, and each constant against its least value."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import varkernels
from varkernels import FORMATS
from varkernels.formulas.bounding import Rows, evaluate

small = st.fractions(-4, 4, max_denominator=8)


@given(st.lists(st.tuples(small, small), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_whatever_the_running_mean_errs_by_the_increments_err_by_the_identity(steps: list[tuple]) -> None:
    """Welford's and West's increments of any means m_k + e_k, with k e_k = (k - 1) e_(k-1) + k r_k and r_1 = 0."""
    xs, n = [x for x, _ in steps], len(steps)
    mean = [sum(xs[:k], Fraction()) / k if k else Fraction() for k in range(n + 1)]
    s = sum((x - mean[n]) ** 2 for x in xs)
    welford, west, least_welford, least_west = Fraction(), Fraction(), s, s
    e = Fraction()
    for k in range(2, n + 1):
        x, r, before = xs[k - 1], steps[k - 1][1], e
        e = Fraction(k - 1, k) * before + r
        d, t = x - mean[k - 1], mean[n] - mean[k]
        welford += (x - mean[k - 1] - before) * (x - mean[k] - e)
        west += Fraction(k - 1, k) * (x - mean[k - 1] - before) ** 2
        least_welford += -r * (d + 2 * k * t) + e * before
        least_west += -r * 2 * k * t + Fraction(k - 1, k) * before**2
    assert welford == least_welford
    assert west == least_west


def forms(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """d_j and t_j of j = 2..n as linear forms of D, and j."""
    j = np.arange(2.0, n + 1)
    root = np.sqrt(j * (j - 1))
    return np.diag(j / root), np.triu(np.ones((n - 1, n - 1)), 1) / root, j


def largest_value(form: np.ndarray) -> float:
    """Of the quadratic form of a matrix, on vectors of length 1."""
    return float(np.linalg.eigvalsh((form + form.T) / 2)[-1])


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 16, 40, 200])
def test_no_constant_is_below_its_least_value_nor_far_above(n: int) -> None:
    """All coefficients are positive, so that |.| is largest where all D are: the forms themselves give the maxima."""
    d, t, j = forms(n)
    g, west = d + 2 * j[:, None] * t, 2 * j[:, None] * t
    least = np.linalg.norm(g.sum(axis=0))
    assert least <= math.sqrt(n * (n**2 + 3 * n - 7) / 3) * (1 + 1e-12) <= 1.05 * least
    least, given_ = np.linalg.norm(west.sum(axis=0)), n * ((n**2 - 1) / 3 - 4 * (1 - 1 / n) ** 2)
    assert math.sqrt(max(given_, 0)) == pytest.approx(least, rel=1e-9, abs=1e-6)
    least = largest_value((t.T * 2 * j) @ t)
    assert least <= min((n - 1) * (n - 2) / n, n * math.exp(-0.5)) + 1e-12 <= 1.4 * least + 1e-9
    assert largest_value(t.T @ d) <= math.sqrt(math.log(n) / 2) <= 2 * largest_value(t.T @ d) + 0.6
    assert np.linalg.norm(g, 2) <= math.sqrt(2) + math.sqrt(2 * (n**2 - 1) / 3) <= 2.01 * np.linalg.norm(g, 2)
    assert np.linalg.norm(np.diag(d)) <= math.sqrt(11 / 9 * n)
    assert np.linalg.norm((j[:, None] * t).sum(axis=0)) <= math.sqrt(n * (n**2 - 1) / 12)


@pytest.mark.parametrize(("name", "leading"), [("welford", 1 / math.sqrt(3)), ("west", 1 / math.sqrt(3))])
def test_of_long_rows_the_bound_is_n_kappa_u_over_root_3(name: str, leading: float) -> None:
    """A row of mean 1 and M2 1: u |mean| sum |g| to first order, and nothing else of that size."""
    n, one = 10**4, np.ones(1)
    rows = Rows(n, np.zeros(1, np.int64), 1e3 * one, one, n * 1e6 * one, one, one, np.nan * one)
    b, m = varkernels.get(name).geometry(n)
    found = evaluate(varkernels.get(name).bound, FORMATS["float64"], rows, b, m).m2[0]
    kappa = math.sqrt(n * 1e6)
    assert found / (n * kappa * 2.0**-53) == pytest.approx(leading, rel=1e-3)


@pytest.mark.parametrize("fmt", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("name", ["welford", "west", "chan/running", "chan/lanes4", "chan/pairwise", "chan/blocked4"])
@given(
    base=st.sampled_from([0, 1, 1, 2]),
    steps=st.lists(st.integers(-12, 12), min_size=2, max_size=12),
    sort=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_rows_of_a_few_units_in_the_last_place_about_a_power_of_two_hold(
    fmt: str, name: str, base: int, steps: list[int], sort: bool
) -> None:
    """Where the running mean's roundings are as large as they get; errors and M2 in fractions."""
    kind = FORMATS[fmt]
    u = float(kind.unit_roundoff)
    values = [8.0 * (base + k * 2 * u) for k in (sorted(steps) if sort else steps)]
    row = kind.rounded(values)
    exact = [Fraction(float(value)) for value in row]
    n = len(exact)
    mean = sum(exact) / n
    m2 = sum((value - mean) ** 2 for value in exact)
    algorithm = varkernels.get(name)
    answer = Fraction(float(varkernels.moments(row[None, None], algorithm, kind).m2[0]))
    figures = (abs(mean), m2, sum(v * v for v in exact), max(exact) - min(exact), abs(exact[0] - mean))
    mean_, s, q, spread, first = (np.array([float(each)]) for each in figures)
    rows = Rows(n, np.zeros(1, np.int64), mean_, s, q, spread, first, np.full(1, np.nan))
    bound = evaluate(algorithm.bound, kind, rows, *algorithm.geometry(n)).m2[0]
    assert abs(answer - m2) <= Fraction(bound)
