"""The limits: correct kernels keep them, the proven bounds are within them, and each profile permits what it says."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import varkernels
from varkernels.formats import FLOAT32, FORMATS
from varkernels.formulas import FORMULAS
from varkernels.formulas.bounding import Rows
from varstudy.study.error_bounds import bounds
from varstudy.testing import tolerance
from varstudy.vectors.profiles import setting_of
from varstudy.vectors.tolerances import merge_limits

HALVES = ("float16", "bfloat16")


def values(dtype: str, rows: int, n: int, offset: float, seed: int = 0) -> Any:
    return FORMATS[dtype].rounded(offset + np.random.default_rng(seed).normal(size=(rows, n)))


def excess(name: str, limits: Any, answer: Any) -> float:
    return float(limits[name].ratio(answer).max())


def centred(x: Any, epsilon: float) -> tuple[Any, Any]:
    """x - mean and 1 / s of a layer norm, in float32."""
    wide = x.astype(np.float32)
    d = wide - wide.mean(axis=1, keepdims=True)
    return d, 1 / np.sqrt((d * d).mean(axis=1, keepdims=True) + np.float32(epsilon))


@pytest.mark.parametrize("profile", ["single", "running"])
def test_the_proven_bounds_of_formulas_are_within_the_limits_of_the_statistics(profile: str) -> None:
    """dm and dv of docs/limits.md, in every order of the profile, wherever h u kappa is below 1/20."""
    setting = setting_of(profile, FLOAT32)
    orders = ("lanes32", "lanes64", "blocked32", "blocked64", "pairwise") if profile == "single" else ("running",)
    names = ["two_pass", "corrected_two_pass", "neumaier_two_pass", "double_double", "chan"]
    names += ["welford", "west", "kahan_two_pass"] if profile == "running" else []
    one, compared = np.ones(1), 0
    for n in (1, 2, 3, 5, 8, 31, 64, 65, 257, 1000, 4096, 65600):
        h = setting.steps(n)
        for kappa in (1.0, 1.5, 3.0, 30.0, 1000.0):
            if h * kappa * 2.0**-24 > 0.05:
                continue
            far = np.full(1, np.sqrt((n - 1) / n))
            mean = np.full(1, np.sqrt((kappa**2 - 1) / n))
            rows = Rows(n, np.zeros(1, np.int64), mean, one, one * kappa**2, 2 * one, far, np.nan * one)
            size, var = kappa / np.sqrt(n), 1 / n
            dm = setting.phi(h + 10) * size
            dv = setting.phi(h + 3) * (2.5 * var + 5 * np.sqrt(var) * size) + dm**2
            for name in names:
                for order in orders:
                    found = bounds(varkernels.compose(FORMULAS[name], order), FLOAT32, rows)
                    assert found.mean[0] <= dm * (1 + 1e-6), (name, order, n, kappa)
                    assert found.m2[0] / n <= dv * (1 + 1e-6), (name, order, n, kappa)
                    compared += 1
    assert compared > 300


@pytest.mark.parametrize("dtype", ["float32", *HALVES])
@pytest.mark.parametrize("offset", [0, 3, 300])
def test_correct_kernels_of_two_builds_keep_the_limit(dtype: str, offset: float) -> None:
    """(x - m) r w + b, and x a + c with a = r w and c = b - m a, in float32."""
    for n in (1, 2, 33, 257):
        x, w, b = values(dtype, 8, n, offset), values(dtype, 1, n, 1, 1)[0], values(dtype, 1, n, 0, 2)[0]
        limits = tolerance(x, weight=w, bias=b, epsilon=1e-5)
        d, r = centred(x, 1e-5)
        wide, bias = w.astype(np.float32), b.astype(np.float32)
        assert excess("y", limits, (d * r * wide + bias).astype(x.dtype)) <= 1
        a = r * wide
        c = bias - x.astype(np.float32).mean(axis=1, keepdims=True) * a
        assert excess("y", limits, (x.astype(np.float32) * a + c).astype(x.dtype)) <= 1


FAULTS: dict[str, Callable[[Any], Any]] = {
    "divides by n - 1": lambda x: (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, ddof=1, keepdims=True) + 1e-5),
    "loses epsilon": lambda x: (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True),
    "adds epsilon to the deviation": lambda x: (x - x.mean(1, keepdims=True)) / (x.std(1, keepdims=True) + 1e-5),
    "forgets the mean": lambda x: x / np.sqrt((x * x).mean(1, keepdims=True) + 1e-5),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_kernels_exceed_it_even_in_float64(fault: str) -> None:
    x = np.random.default_rng(0).normal(0.02, 0.01, (8, 64)).astype(np.float32)
    assert excess("y", tolerance(x), FAULTS[fault](x.astype(np.float64)).astype(np.float32)) > 10


@pytest.mark.parametrize("dtype", HALVES)
def test_two_stages_need_their_own_profile(dtype: str) -> None:
    """xhat in storage, then scale and bias: where w xhat and b cancel, the first rounding is all that is left."""
    x, w = values(dtype, 8, 128, 0), np.ones(128, FORMATS[dtype].dtype)
    d, r = centred(x, 1e-5)
    bias = -(d * r)[0].astype(x.dtype)
    y = ((d * r).astype(x.dtype) * w + bias).astype(x.dtype)
    given = {"weight": w, "bias": bias, "epsilon": 1e-5}
    assert excess("y", tolerance(x, **given), y) > 5
    assert excess("y", tolerance(x, profile="two-stage", **given), y) <= 1


def test_the_limit_of_one_running_sum_grows_with_n() -> None:
    """Equal values are the worst for a running sum: all roundings of a binade have one sign."""
    x = np.full((2, 2**16), np.float32(1 / 3))
    x[:, ::64] = 0.5
    total = np.cumsum(x, axis=1, dtype=np.float32)[:, -1:]
    mean = total / np.float32(x.shape[1])
    d = x - mean
    y = d / np.sqrt((d.astype(np.float64) ** 2).mean(axis=1, keepdims=True) + 1e-5)
    assert excess("y", tolerance(x, profile="running"), y.astype(np.float32)) <= 1
    single, running = (tolerance(x, profile=name)["y"].limit.max() for name in ("single", "running"))
    assert running > 5 * single


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize(("formula", "order"), [("two_pass", "running"), ("welford", "running"), ("chan", "pairwise")])
def test_low_precision_has_the_bound_of_its_formula(dtype: str, formula: str, order: str) -> None:
    fmt = FORMATS[dtype]
    x = values(dtype, 8, 16, 0.5)
    limits = tolerance(x, profile="low-precision", formula=formula, order=order, epsilon=1e-2)
    found = varkernels.moments(x[np.newaxis], varkernels.compose(FORMULAS[formula], order), fmt)
    mean, v = found.mean[:, None], (found.m2 / fmt.dtype.type(16))[:, None].astype(fmt.dtype)
    one, small = fmt.dtype.type(1), fmt.dtype.type(1e-2)
    y = ((x - mean) * (one / np.sqrt(v + small))).astype(fmt.dtype)
    assert excess("y", limits, y) <= 1
    assert np.isfinite(limits["y"].limit).mean() > 0.9
    assert excess("y", tolerance(x, epsilon=1e-2), y) > 1


def test_gradients_of_a_plain_float32_kernel_keep_their_limits() -> None:
    for dtype in ("float32", *HALVES):
        for rows, n, offset in ((1, 5, 0), (64, 33, 3), (7, 257, 30)):
            x, dy, w = values(dtype, rows, n, offset), values(dtype, rows, n, 0.2, 1), values(dtype, 1, n, 1, 2)[0]
            d, r = centred(x, 1e-5)
            h, g = d * r, dy.astype(np.float32) * w.astype(np.float32)
            dx = r * (g - g.mean(1, keepdims=True) - h * (g * h).mean(1, keepdims=True))
            limits = tolerance(x, dy=dy, weight=w)
            assert excess("dx", limits, dx.astype(x.dtype)) <= 1
            assert excess("dweight", limits, (dy.astype(np.float32) * h).sum(0).astype(x.dtype)) <= 1
            assert excess("dbias", limits, dy.astype(np.float32).sum(0).astype(x.dtype)) <= 1
            lost = r * (g - h * (g * h).mean(1, keepdims=True))
            assert excess("dx", limits, lost.astype(x.dtype)) > 3


def test_variances_of_constant_rows_and_of_float64() -> None:
    x = np.array([[1.0, 1, 1, 1], [1, 2, 3, 4], [np.nan, 1, 2, 3]])
    limits = tolerance(x, "variance", corrections=(0, 1, Fraction(1, 2)))
    assert limits["variance"].exact.rounded[:2].tolist() == [0.0, 1.25]
    assert np.isnan(limits["variance 1"].exact.rounded[2])
    assert limits["variance 1/2"].exact.rounded[1] == pytest.approx(5 / 3.5, rel=1e-15)
    assert 0 < limits["variance"].limit[1] < 1e-13
    assert excess("variance", limits, [1e-31, 1.25, 0.0]) <= 1
    assert excess("variance 1", limits, [0.0, 1.25, 0.0]) > 1


def test_merged_statistics_must_heed_the_counts() -> None:
    counts = np.array([3, 100])
    means, variances = np.float32([[0.0], [10.0]]), np.float32([[1.0], [4.0]])
    limits = merge_limits(counts, means, variances)
    assert excess("mean", limits, [1000 / 103]) <= 1
    assert excess("mean", limits, [5.0]) > 1000
    assert excess("variance", limits, [403 / 103 + 3 * 100 * 100 / 103**2]) <= 1


def test_what_correct_kernels_disagree_on_is_not_demanded() -> None:
    huge = np.float32([[1e20, 2e20, -1e20]])
    tiny = np.float32([[1e-25, 2e-25, -1e-25]])
    constant = np.full((1, 100), np.float32(1e6 / 3))
    assert excess("y", tolerance(huge, epsilon=0), np.zeros((1, 3))) == 0
    assert excess("y", tolerance(tiny, epsilon=0), np.zeros((1, 3))) == 0
    assert excess("y", tolerance(constant), np.full((1, 100), 1.8)) <= 1
    assert excess("y", tolerance(np.float32([[1e6]]), bias=np.float32([0])), [[8.7]]) <= 1


def test_bad_input_gets_one_sentence() -> None:
    x = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match="profile='singel' is unknown"):
        tolerance(x, profile="singel")
    with pytest.raises(ValueError, match="norm='layr' is unknown"):
        tolerance(x, "layr")
    with pytest.raises(ValueError, match=r"the answer has the shape \(3,\): give \(2, 3\)"):
        tolerance(x)["y"].ratio(np.ones(3))
