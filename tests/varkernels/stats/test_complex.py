"""Complex values: both parts' exact variances added and rounded once, the mean of each part."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import varstudy
from varkernels.formats import FLOAT32, FLOAT64, Format
from varkernels.rounding import round_to, ulp

FUNCTIONS = (varstudy.var, varstudy.std, varstudy.mean)
PARTS = {np.complex64: FLOAT32, np.complex128: FLOAT64}
dtypes = pytest.mark.parametrize("dtype", PARTS)


def quiet(function: Any, *args: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*args, **options)


def same(a: Any, b: Any) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def numbers(dtype: Any) -> Any:
    width = 32 if dtype is np.complex64 else 64
    finite = st.floats(allow_nan=False, allow_infinity=False, width=width)
    part = st.one_of(
        st.floats(-(2.0**53), 2.0**53, width=width), finite, st.sampled_from([0.0, 2.0**53, 1.0, 3.0, 2.0**-126])
    )
    return st.lists(st.tuples(part, part), min_size=1, max_size=9)


def exact(pairs: list[tuple[float, float]], correction: Any) -> Fraction:
    total = Fraction(0)
    for part in zip(*pairs, strict=True):
        values = [Fraction(v) for v in part]
        mean = sum(values, Fraction(0)) / len(values)
        total += sum(((v - mean) ** 2 for v in values), Fraction(0))
    return total / (len(pairs) - Fraction(correction))


def is_root(got: Any, square: Fraction, fmt: Format) -> bool:
    """Whether `got` is the root within half a unit in the last place."""
    if not np.isfinite(got):
        return square >= (fmt.largest + ulp(fmt.largest, fmt) / 2) ** 2
    value = Fraction(float(got))
    half = ulp(value, fmt) / 2
    return max(value - half, Fraction(0)) ** 2 <= square <= (value + half) ** 2


@dtypes
@given(data=st.data(), correction=st.sampled_from([0, 1, 0.5, -1]))
def test_the_exact_sum_of_both_is_rounded_once(dtype: Any, data: Any, correction: Any) -> None:
    pairs, fmt = data.draw(numbers(dtype)), PARTS[dtype]
    x = np.array([complex(*pair) for pair in pairs]).astype(dtype)
    mean, variance = quiet(varstudy.mean_var, x, correction=correction)
    assert variance.dtype == fmt.dtype
    assert mean.dtype == dtype
    assert same(quiet(varstudy.mean, x), mean)
    for got, part in ((mean.real, [re for re, _ in pairs]), (mean.imag, [im for _, im in pairs])):
        assert got == round_to(sum(map(Fraction, part)) / len(part), fmt)
    if len(pairs) <= correction:
        assert np.isnan(variance)
        return
    square = exact(pairs, correction)
    assert same(variance, round_to(square, fmt))
    std = quiet(varstudy.std, x, correction=correction)
    assert std.dtype == fmt.dtype
    if square:
        assert is_root(std, square, fmt)
    else:
        assert std == 0


def test_not_the_sum_of_two_roundings() -> None:
    g = np.random.default_rng(0)
    x = (g.normal(size=(2000, 5)) + 1j * g.normal(size=(2000, 5))).astype(np.complex64)
    found = varstudy.var(x, axis=1)
    twice = varstudy.var(x.real, axis=1) + varstudy.var(x.imag, axis=1)
    assert not np.array_equal(found, twice)
    assert np.max(np.abs(found - twice)) < 1e-6
    assert same(found, varstudy.var(x.astype(np.complex128), axis=1).astype(np.float32))


@dtypes
@pytest.mark.parametrize("order", ["C", "F", ">"])
def test_axes_masks_weights_and_groups(dtype: Any, order: str) -> None:
    g = np.random.default_rng(1)
    x = (g.normal(size=(4, 5, 6)) + 1j * g.normal(size=(4, 5, 6))).astype(dtype)
    given_ = x.astype(x.dtype.newbyteorder(">")) if order == ">" else np.asarray(x, order=order)[::-1][::-1]  # type: ignore[call-overload]
    where, often = g.random(x.shape) < 0.7, g.integers(0, 3, x.shape)
    for axis in (None, 0, 1, 2, (0, 2), ()):
        for function in FUNCTIONS:
            for keepdims in (False, True):
                found = quiet(function, given_, axis=axis, where=where, keepdims=keepdims)
                numpys = quiet(getattr(np, function.__name__), x, axis=axis, where=where, keepdims=keepdims)
                assert found.shape == numpys.shape
                assert found.dtype == numpys.dtype
                assert np.allclose(found, numpys, equal_nan=True, rtol=1e-4, atol=1e-6)
            weighed = quiet(function, given_, axis=axis, weights=often, where=where)
            assert same(weighed, quiet(function, x, axis=axis, weights=often * where))
    by = np.array([1, 0, 1, 1, 0, 1])
    groups = varstudy.var(given_, axis=2, by=by)
    assert same(groups, np.stack([varstudy.var(x[..., by == k], axis=2) for k in (0, 1)], axis=2))
    masked = varstudy.var(np.ma.array(x, mask=~where), axis=2, correction=3)
    assert same(masked.mask, where.sum(axis=2) <= 3)
    assert same(quiet(varstudy.var, x, axis=2, where=where, correction=3)[~masked.mask], masked.compressed())


@pytest.mark.parametrize("bad", [complex("nan"), complex(1, float("nan")), complex(float("nan"), float("inf"))])
def test_a_nan_in_either_part_is_a_nan(bad: complex) -> None:
    x = np.array([1 + 2j, bad, 3 + 4j])
    assert np.isnan(varstudy.var(x))
    mean = varstudy.mean(x)
    assert np.isnan([mean.real, mean.imag]).all()
    for function in FUNCTIONS:
        assert same(function(x, nan_policy="omit"), function(x[[0, 2]]))
        assert same(function(x, weights=[1, 0, 1], nan_policy="raise"), function(x[[0, 2]]))
        with pytest.raises(ValueError, match="contains nan"):
            function(x, nan_policy="raise")


def test_infinities_and_no_values_warn_as_numpy() -> None:
    with pytest.warns(RuntimeWarning, match="invalid value encountered in subtract"):
        assert np.isnan(varstudy.var([1, complex(0, float("inf"))]))
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"):
        assert np.isnan(varstudy.mean(np.zeros(0, dtype=complex)))
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        assert np.isnan(varstudy.var([1j], correction=1))
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert varstudy.var([1e200j, -1e200j]) == np.inf
    assert varstudy.std(np.array([3 + 4j, -3 - 4j]) * 2.0**600) == 5 * 2.0**600
    assert varstudy.mean([complex(float("inf"), 1), 1j]) == complex(float("inf"), 1)


def test_result_dtypes() -> None:
    x = np.array([1 + 2j, 2 + 3j, 3 + 5j], dtype=np.complex64)
    assert same(varstudy.mean(x, dtype=np.complex128), np.complex128(2 + 10j / 3))
    assert varstudy.var(x, dtype=np.float64).dtype == np.float64
    mean, variance = varstudy.mean_var(x, dtype=np.complex128)
    assert (mean.dtype, variance.dtype) == (np.complex128, np.float64)
    assert same(varstudy.mean_var(x, dtype=np.float64), varstudy.mean_var(x, dtype=np.complex128))
    with pytest.raises(TypeError, match="cannot hold the var of complex values: use float16"):
        varstudy.var(x, dtype=np.complex128)
    for wrong in (np.float64, np.float16, int, object, "nonsense"):
        with pytest.raises(TypeError, match="use complex64 or complex128"):
            varstudy.mean(x, dtype=wrong)


@pytest.mark.peers
def test_other_libraries() -> None:
    pd = pytest.importorskip("pandas")
    x = np.array([1 + 2j, 2 + 3j, 3 + 4j])
    assert varstudy.var(pd.Series(x), ddof=1) == 2
    frame = varstudy.var(pd.DataFrame({"a": x, "b": 2 * x}), axis=0)
    assert frame.to_dict() == {"a": varstudy.var(x), "b": varstudy.var(2 * x)}
    assert varstudy.var([1 + 2j, 2 + 3j, 3 + 4j], ddof=1) == 2
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(x)
    assert varstudy.var(tensor) == varstudy.var(x)
    assert varstudy.mean(tensor.conj()) == varstudy.mean(x.conj())


def test_what_takes_no_complex_values() -> None:
    x = np.array([1 + 2j, 2 + 3j])
    for call in (
        lambda: varstudy.Moments().update(x),
        lambda: varstudy.rolling_var(x, 2),
        lambda: varstudy.feature_moments(x.reshape(1, 1, 1, 2), "batch"),
        lambda: varstudy.var(x.astype(np.clongdouble)),
    ):
        with pytest.raises(TypeError, match=r"complex|longdouble|float128"):
            call()
    with pytest.raises(ValueError, match="dtype complex128 need the method 'exact', not 'welford'"):
        varstudy.var(x, method="welford")
