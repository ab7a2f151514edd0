"""weights= of var, std, mean and mean_var: each answer is that of the values repeated so often."""

from __future__ import annotations

import inspect
import warnings
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import varstudy
from varkernels.formats import FLOAT64
from varkernels.rounding import round_to

FUNCTIONS = (varstudy.var, varstudy.std, varstudy.mean)
DTYPES = ("?", "i1", "u8", "i8", "f2", ml_dtypes.bfloat16, "f4", "f8")
numbers = st.one_of(st.floats(-1e300, 1e300), st.sampled_from([0.0, 1.0, 1e16, 1e16 + 2, float("nan"), float("inf")]))


def same(a: Any, b: Any) -> bool:
    a, b = np.ma.asarray(a), np.ma.asarray(b)
    masks = np.array_equal(np.ma.getmaskarray(a), np.ma.getmaskarray(b))
    return a.dtype == b.dtype and a.shape == b.shape and masks and a.filled(0).tobytes() == b.filled(0).tobytes()


def told(function: Any, *args: Any, **options: Any) -> tuple[Any, set[str]]:
    """An answer, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = function(*args, **options)
    return found, {str(each.message) for each in caught}


@pytest.mark.parametrize("policy", ["propagate", "omit"])
@pytest.mark.parametrize("function", FUNCTIONS)
@given(pairs=st.lists(st.tuples(numbers, st.integers(0, 9)), max_size=12), correction=st.sampled_from([0, 1, 0.5, -2]))
def test_a_weight_is_how_often_a_value_is_there(
    policy: str, function: Any, pairs: list[tuple[float, int]], correction: Any
) -> None:
    x, often = np.array([v for v, _ in pairs]), np.array([w for _, w in pairs], dtype=int)
    options: dict[str, Any] = {"nan_policy": policy}
    if function is not varstudy.mean:
        options["correction"] = correction
    found, warned = told(function, x, weights=often, **options)
    expected, expected_warned = told(function, np.repeat(x, often), **options)
    assert same(found, expected)
    assert warned == expected_warned


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**55)), min_size=1, max_size=9))
def test_large_weights_of_large_integers(pairs: list[tuple[int, int]]) -> None:
    n = sum(w for _, w in pairs)
    x, often = np.array([v for v, _ in pairs]), np.array([w for _, w in pairs])
    if not n:
        return
    mean = Fraction(sum(v * w for v, w in pairs), n)
    assert varstudy.mean(x, weights=often) == round_to(mean, FLOAT64)
    if n > 1:
        variance = sum(w * (v - mean) ** 2 for v, w in pairs) / (n - 1)
        assert varstudy.var(x, weights=often, correction=1) == round_to(variance, FLOAT64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.uint64])
def test_every_dtype_along_every_axis(dtype: Any, kind: Any) -> None:
    g = np.random.default_rng(5)
    x = g.integers(0, 100, (4, 5, 6)).astype(dtype)
    often = g.integers(0, 2 if kind is bool else 4, (4, 5, 6)).astype(kind)
    for axis in (None, 0, 1, -1, (0, 2), (0, 1, 2)):
        for keepdims in (False, True):
            axes = (0, 1, 2) if axis is None else axis
            for function in FUNCTIONS:
                found, _ = told(function, x, axis=axis, weights=often, keepdims=keepdims)
                reduced = tuple(a % 3 for a in np.atleast_1d(axes))
                kept = [a for a in range(3) if a not in reduced]
                rows, counts = (
                    each.transpose([*kept, *reduced]).reshape([each.shape[a] for a in kept] + [-1])
                    for each in (x, often)
                )
                one = np.empty(rows.shape[:-1], dtype=found.dtype)
                for place in np.ndindex(one.shape):
                    one[place] = told(function, np.repeat(rows[place], counts[place].astype(int)))[0]
                assert same(found.reshape(one.shape), one)
                assert found.shape == np.var(np.zeros((4, 5, 6)), axis=axis, keepdims=keepdims).shape
    assert same(varstudy.mean_var(x, weights=often)[1], varstudy.var(x, weights=often))


def test_weights_broadcast_or_belong_to_the_axis() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    down, along = np.array([1, 0, 3]), np.array([2, 0, 1, 5])
    assert same(varstudy.var(x, axis=0, weights=down), varstudy.var(np.repeat(x, down, axis=0), axis=0))
    assert same(varstudy.var(x, axis=1, weights=along), varstudy.var(np.repeat(x, along, axis=1), axis=1))
    assert same(varstudy.var(x, weights=along), varstudy.var(np.repeat(x, along, axis=1)))
    assert same(varstudy.var(x, weights=down[:, np.newaxis]), varstudy.var(np.repeat(x, down, axis=0)))
    assert same(varstudy.var(x, weights=2, correction=1), varstudy.var(np.concatenate([x, x]), correction=1))
    assert same(
        varstudy.var(x, weights=[1, 0, 3], axis=0, dtype=np.float64),
        varstudy.var(np.repeat(x, down, axis=0).astype(np.float64), axis=0),
    )
    assert same(varstudy.std(x, axis=(), weights=3), np.zeros((3, 4), dtype=np.float32))
    assert np.isnan(told(varstudy.var, [], weights=[])[0])
    assert varstudy.var(5.0, weights=2, correction=1) == 0


def test_where_false_is_a_weight_of_zero() -> None:
    g = np.random.default_rng(1)
    x, often, where = g.normal(size=(5, 6)), g.integers(0, 4, (5, 6)), g.random((5, 6)) < 0.6
    x[0, 0], where[0, 0] = np.nan, False
    for function in FUNCTIONS:
        for axis in (None, 0, 1):
            found = told(function, x, axis=axis, weights=often, where=where)[0]
            assert same(found, told(function, x, axis=axis, weights=often * where)[0])
    masked = np.ma.array(x, mask=~where)
    masked[:, 2] = np.ma.masked
    assert same(
        varstudy.mean(masked, axis=0, weights=often).filled(0),
        np.nan_to_num(told(varstudy.mean, x, axis=0, weights=often * ~masked.mask)[0]),
    )
    assert varstudy.mean(masked, axis=0, weights=often).mask[2]


def test_a_nan_of_weight_zero_is_not_there() -> None:
    x = [1.0, float("nan"), 3.0]
    assert varstudy.var(x, weights=[1, 0, 1]) == 1
    assert varstudy.var(x, weights=[1, 0, 1], nan_policy="raise") == 1
    assert varstudy.Moments(nan_policy="raise").update(x, weights=[1, 0, 1]).variance() == 1
    assert np.isnan(varstudy.var(x, weights=1))
    assert varstudy.var(x, weights=[1, 9, 3], nan_policy="omit", correction=1) == 1
    with pytest.raises(ValueError, match="contains nan"):
        varstudy.var(x, weights=[1, 1, 1], nan_policy="raise")


def test_functions_and_moments_agree() -> None:
    g = np.random.default_rng(2)
    x, often = g.normal(size=(50, 3)), g.integers(0, 2**20, 50)
    moments = varstudy.Moments(axis=0).update(x, weights=often)
    assert same(moments.variance(1), varstudy.var(x, axis=0, weights=often, correction=1))
    assert same(moments.std(0.5), varstudy.std(x, axis=0, weights=often, correction=0.5))


@pytest.mark.peers
def test_columns_and_tables() -> None:
    pd, pl, xr = pytest.importorskip("pandas"), pytest.importorskip("polars"), pytest.importorskip("xarray")
    frame = pd.DataFrame({"a": [2**60, 2**60 + 1, 2**60 + 2], "b": [0.5, 1.5, 4.0]}, index=list("xyz"))
    often = pd.Series([1, 2, 0])
    expected = frame.loc[["x", "y", "y"]]
    pd.testing.assert_series_equal(
        varstudy.var(frame, axis=0, weights=often), varstudy.var(expected, axis=0), check_exact=True
    )
    assert same(
        varstudy.var(frame, weights=np.array([[1, 0], [2, 1], [0, 1]])),
        varstudy.var(pl.Series([2**60, 2**60 + 1, 2**60 + 1])) * 0
        + varstudy.var(np.array([2**60, 2**60 + 1, 2**60 + 1, 1.5, 4.0])),
    )
    assert varstudy.var(frame["a"], weights=often) == varstudy.var(expected["a"])
    some = pd.Series([1, None, 4], dtype="Int64")
    assert varstudy.var(some, weights=[1, 5, 2], nan_policy="omit") == varstudy.var([1, 4, 4])
    assert np.isnan(varstudy.var(some, weights=[1, 5, 2]))
    floats = frame.astype(float)
    assert same(
        varstudy.mean(floats, axis=1, weights=[1, 3]).to_numpy(),
        varstudy.mean(floats.to_numpy()[:, [0, 1, 1, 1]], axis=1),
    )
    labelled = xr.DataArray(floats.to_numpy(), dims=("row", "column"))
    assert same(
        varstudy.var(labelled, axis=0, weights=often).to_numpy(), varstudy.var(floats.to_numpy(), axis=0, weights=often)
    )


@pytest.mark.parametrize("function", [*FUNCTIONS, varstudy.mean_var])
@pytest.mark.parametrize(
    ("weights", "kind", "words"),
    [
        ([0.1, 0.2, 0.6], TypeError, "give integers, how often each value is there"),
        ([1.0, 1.0, 1.0], TypeError, "give integers, how often each value is there"),
        (["a", "b", "c"], TypeError, "give integers"),
        ([1, -1, 1], ValueError, "negative"),
        ([1, 2], ValueError, r"shape \(2,\), which does not broadcast to x's \(3,\)"),
        ([[1, 2, 3]] * 2, ValueError, "does not broadcast"),
        ([2**62, 2**62, 1], ValueError, r"add up to more than 2\^62"),
    ],
)
def test_what_is_no_weight(function: Any, weights: Any, kind: type, words: str) -> None:
    with pytest.raises(kind, match=words):
        function([1.0, 2.0, 3.0], weights=weights)


@pytest.mark.peers
def test_other_methods_and_lazy_arrays_take_no_weights() -> None:
    da = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match="weights need the method 'exact', not 'welford'"):
        varstudy.var([1.0], weights=1, method="welford")
    with pytest.raises(ValueError, match="weights are not taken with values of Dask"):
        varstudy.var(da.ones(3), weights=1)


def test_all_functions_say_weights() -> None:
    for function in (*FUNCTIONS, varstudy.mean_var):
        assert inspect.signature(function).parameters["weights"].default is None
