"""Bounds: they hold on whatever is thrown at them, they are those of the literature, and they are not idle."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import varkernels
from varkernels import FORMATS
from varkernels.algorithm import order_of
from varstudy.study import error_bounds
from varstudy.study.aggregates import summary
from varstudy.study.ground_truth import truth
from varstudy.study.measuring import ACCUMULATORS, Reduction, accumulators_of, moments_of, reduction

BUILTIN = [a for a in varkernels.algorithms().values() if a.builtin]
PAIRS = [(s, a) for s in FORMATS for a in ACCUMULATORS[s]]


def reduced(x: np.ndarray, norm: str = "layer", corrections: tuple[float, ...] = (0.0,)) -> Reduction:
    names = ACCUMULATORS[next(f.name for f in FORMATS.values() if f.dtype == x.dtype)]
    return reduction(x, norm, layout="NC", groups=None, corrections=corrections, accumulators=names)


def scored(rows: Reduction, algorithm: varkernels.Algorithm, storage: str, accumulator: str) -> Iterable[dict]:
    fmt = FORMATS[accumulator]
    mean, variances = moments_of(rows, algorithm, fmt)
    bound = error_bounds.bounds(algorithm, fmt, rows.rows)
    for correction, variance in variances.items():
        yield summary(
            mean=mean,
            variance=variance,
            exact_mean=rows.mean,
            exact=rows.variance[correction],
            storage=FORMATS[storage],
            accumulator=fmt,
            correction=correction,
            low=rows.low,
            high=rows.high,
            rows=rows.rows,
            bound=bound,
        )


def hold(x: np.ndarray, storage: str, corrections: tuple[float, ...] = (0.0, 1.0, 0.5)) -> float:
    """The largest share that any algorithm takes of its bound."""
    rows, most = reduced(x, corrections=corrections), 0.0
    for algorithm in BUILTIN:
        for accumulator in accumulators_of(algorithm, storage):
            for found in scored(rows, algorithm, storage, accumulator):
                used = found["bound_used"]
                if not math.isnan(used):
                    most = max(most, used)
                assert not used > 1, (algorithm.name, accumulator, found)
                known = rows.variance[0.0].known.any()
                assert math.isnan(used) != (known and found["rows_scored"] > 0), (algorithm.name, found)
    return most


@pytest.mark.parametrize("storage", FORMATS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_bit_pattern_breaks_a_bound(storage: str, data: st.DataObject) -> None:
    fmt = FORMATS[storage]
    bits = hnp.arrays(f"u{fmt.dtype.itemsize}", hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))
    hold(data.draw(bits).view(fmt.dtype), storage)


@pytest.mark.parametrize("storage", FORMATS)
@given(
    mean=st.floats(-3, 3),
    spread=st.integers(-60, 3),
    scale=st.integers(-100, 100),
    n=st.integers(1, 400),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=40, deadline=None)
def test_no_offset_or_scale_breaks_a_bound(
    storage: str, mean: float, spread: int, scale: int, n: int, seed: int
) -> None:
    fmt = FORMATS[storage]
    z = np.random.default_rng(seed).normal(size=(2, n))
    scale = max(min(scale, fmt.emax // 2), fmt.emin // 2)
    with np.errstate(all="ignore"):
        hold(np.ldexp(mean + np.ldexp(z, spread), scale).astype(fmt.dtype), storage, (0.0, 1.0))


def test_long_rows_with_a_drift_hold() -> None:
    i = np.arange(1 << 15)
    for storage in ("float32", "bfloat16"):
        x = np.stack([1000 + i * 2.0**-12, np.where(i < 1 << 14, 16.0, 17.0), 0.1 * (1 + 1e-3 * (-1.0) ** i)])
        most = hold(x.astype(FORMATS[storage].dtype), storage, (0.0,))
        assert most > 0.01


# ------------------------------------------------------------------------------------- against the literature


@pytest.mark.parametrize("n", [2**8, 2**12, 2**16])
@pytest.mark.parametrize("kappa", [1.0, 1e2, 1e4])
def test_first_order_terms_are_those_of_chan_golub_leveque(n: int, kappa: float) -> None:
    """Table 1 of Chan, Golub, LeVeque 1983, which leaves out constant factors."""
    fmt, u, logn = FORMATS["float64"], 2.0**-53, math.log2(n)
    for name, first in (
        ("naive", n * kappa**2 * u),
        ("naive/pairwise", kappa**2 * u * logn),
        ("two_pass", n * u + (n * kappa * u) ** 2),
        ("pairwise", u * logn + (kappa * u * logn) ** 2),
        ("corrected_two_pass", n * u),
        ("welford", n * kappa * u / math.sqrt(3)),  # the constant is derived in formulas/welford.py
        ("west", n * kappa * u / math.sqrt(3)),
        ("youngs_cramer", n * kappa * u),
        ("chan", kappa * u * logn),
    ):
        bound = error_bounds.relative_bound(varkernels.get(name), fmt, n, kappa)[0]
        assert first / 1.5 <= bound <= 24 * first, name


def test_compensation_bounds_hardly_grow_with_n() -> None:
    """Of each bound, 5 u are the division's: it is done in float64 and rounded to the format."""
    fmt, u = FORMATS["float64"], 2.0**-53
    for name, most in (("kahan_two_pass", 20 * u), ("neumaier_two_pass", 12 * u), ("double_double", 7 * u)):
        for n in (10, 10**4, 10**6):
            assert error_bounds.relative_bound(varkernels.get(name), fmt, n, 1.0)[0] < most


def test_there_is_no_guarantee_where_there_cannot_be_one() -> None:
    f16, bf16 = FORMATS["float16"], FORMATS["bfloat16"]
    assert error_bounds.relative_bound(varkernels.get("chan"), f16, 2**16, 1.0)[0] == math.inf  # the count overflows
    assert error_bounds.relative_bound(varkernels.get("kahan_two_pass"), bf16, 2**12, 1.0)[0] == math.inf
    x = np.full((1, 8), 300.0, np.float16)
    rows = reduced(x)
    assert error_bounds.bounds(varkernels.get("naive"), f16, rows.rows).m2[0] == math.inf  # 300^2 overflows
    assert error_bounds.bounds(varkernels.get("two_pass"), f16, rows.rows).m2[0] < math.inf


def test_algorithms_of_others_have_no_bound() -> None:
    theirs = replace(varkernels.get("chan"), builtin=False, bound=None)
    bound = error_bounds.bounds(theirs, FORMATS["float32"], reduced(np.ones((3, 4), np.float32)).rows)
    assert np.isnan(bound.m2).all()
    assert np.isnan(bound.mean).all()
    assert bound.m2.shape == (3,)


def test_algorithms_of_others_may_bring_a_bound() -> None:
    chan, f32 = varkernels.get("chan"), FORMATS["float32"]
    rows = reduced(np.arange(12, dtype=np.float32).reshape(3, 4)).rows
    theirs = error_bounds.bounds(replace(chan, name="theirs", builtin=False), f32, rows)
    ours = error_bounds.bounds(chan, f32, rows)
    assert (theirs.m2 == ours.m2).all()
    assert (theirs.mean == ours.mean).all()
    assert (ours.m2 > 0).all()


# ------------------------------------------------------------------------------------------- heights of orders


def simulate(order: str, n: int) -> tuple[int, int, bool]:
    """Most updates of a state, most merges above a value, and whether the left part is never the smaller one."""
    schedule = order_of(order)
    w = schedule.width
    larger_left = True

    def merged(a: tuple[int, int, int], b: tuple[int, int, int]) -> tuple[int, int, int]:
        nonlocal larger_left
        larger_left &= a[0] >= b[0]
        return a[0] + b[0], max(a[1], b[1]), max(a[2], b[2]) + 1

    if schedule.kernel == "running":
        return n, 0, True
    if schedule.kernel == "lanes":
        states = [(c, c, 0) for c in ((n - j + w - 1) // w for j in range(min(w, n)))]
        while len(states) > 1:
            half = (len(states) + 1) // 2
            pairs = [merged(states[j], states[j + half]) for j in range(len(states) - half)]
            states = pairs + states[len(pairs) : half]
    else:
        states = []
        for blocks in range(1, n // w + 1):
            states.append((w, w, 0))
            while blocks & 1 == 0:
                states[-2:] = [merged(states[-2], states[-1])]
                blocks >>= 1  # noqa: PLW2901 - the carries of a binary counter
        if n % w:
            states.append((n % w, n % w, 0))
        while len(states) > 1:
            states[-2:] = [merged(states[-2], states[-1])]
    count, updates, merges = states[0]
    assert count == n
    return updates, merges, larger_left


@pytest.mark.parametrize(
    "order", ["running", "pairwise", "lanes1", "lanes3", "lanes32", "lanes7", "blocked3", "blocked128"]
)
def test_heights_are_what_the_schedules_do(order: str) -> None:
    for n in (*range(1, 300), 1023, 1024, 1025):
        updates, merges, larger_left = simulate(order, n)
        assert larger_left
        b, m = order_of(order).geometry(n)
        assert updates == b
        assert merges <= m <= merges + (0 if order == "pairwise" else 1)


# ----------------------------------------------------------------------------------------------------- the rows


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_rows_are_described_exactly(name: str) -> None:
    x = np.array([[3.0, 5.0, 10.0], [1e-20, -3e-20, 2e-20], [7.0, 7.0, 7.0]]).astype(name)
    view = x.reshape(1, 3, 3)
    exact = truth(view)
    rows = error_bounds.describe(exact, view, np.array([4.0, 0.0, 7.5]))
    assert rows.n == 3
    for r in range(3):
        k = 2.0 ** int(rows.k[r])
        values = [Fraction(float(v)) for v in x[r]]
        m = sum(values) / 3
        assert 0.5 <= max(abs(v) for v in values) / Fraction(k) < 1
        for got, want in (
            (rows.mean[r] * k, abs(m)),
            (rows.s[r] * k**2, sum((v - m) ** 2 for v in values)),
            (rows.q[r] * k**2, sum(v * v for v in values)),
            (rows.spread[r] * k, max(values) - min(values)),
            (rows.first[r] * k, abs(values[0] - m)),
            (rows.centre[r] * k, abs(Fraction([4.0, 0.0, 7.5][r]) - m)),
        ):
            assert got == pytest.approx(float(want), rel=1e-15, abs=0)


def test_rows_without_a_truth_are_nan() -> None:
    view = np.array([[[1.0, math.nan], [1.0, 2.0], [math.inf, 1.0]]])
    rows = error_bounds.describe(truth(view), view)
    assert np.isnan(rows.s).tolist() == [True, False, True]
    assert np.isnan(rows.centre).all()
