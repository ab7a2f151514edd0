"""pandas' Series and DataFrames: numpy's axes, pandas' labels, exact values."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import varstudy

NAMES = ("var", "std", "mean")


def test_a_series_is_its_values() -> None:
    s = pd.Series([1.0, 2.0, 4.0], index=list("abc"), name="s")
    for name in NAMES:
        function = getattr(varstudy, name)
        assert function(s) == function(s.to_numpy())
        assert function(s, axis=0) == function(s.to_numpy())
    assert varstudy.var(s, ddof=1) == pytest.approx(s.var(), rel=1e-15)
    assert varstudy.mean_var(s) == (varstudy.mean(s), varstudy.var(s))
    assert varstudy.var(s, where=s > 1) == 1.0
    assert varstudy.var(pd.Series([1, 3], dtype="int64"), keepdims=True).tolist() == [1.0]
    assert varstudy.var(pd.Series([True, False])) == 0.25


def test_a_frame_keeps_its_labels() -> None:
    frame = pd.DataFrame(np.arange(12.0).reshape(4, 3) ** 2, columns=["x", "y", "z"], index=[5, 6, 7, 9])
    for name in NAMES:
        function = getattr(varstudy, name)
        for axis, labels in ((0, frame.columns), (1, frame.index), (-1, frame.index), ((0,), frame.columns)):
            got = function(frame, axis=axis)
            assert isinstance(got, pd.Series)
            assert got.index.equals(labels)
            assert np.array_equal(got.to_numpy(), function(frame.to_numpy(), axis=axis))
        assert function(frame) == function(frame.to_numpy())
        assert function(frame, axis=(0, 1)) == function(frame)
        assert np.array_equal(function(frame, axis=0, keepdims=True), function(frame.to_numpy(), axis=0, keepdims=True))
        assert function(frame, axis=()).shape == (4, 3)
    mean, variance = varstudy.mean_var(frame, axis=0, correction=1)
    pd.testing.assert_series_equal(variance, frame.var(), rtol=1e-15)
    pd.testing.assert_series_equal(mean, frame.mean(), rtol=1e-15)
    got = varstudy.var(frame, axis=0, method="welford")
    assert got.index.equals(frame.columns)
    narrow = varstudy.var(frame.astype(np.float32), axis=0)
    assert narrow.dtype == np.float32


def test_columns_of_several_dtypes() -> None:
    big = 2**62 + 1
    frame = pd.DataFrame(
        {"i": np.array([big, big + 2]), "f": np.array([0.5, 1.5], dtype=np.float32), "b": [True, False]}
    )
    got = varstudy.var(frame, axis=0)
    assert got.dtype == np.float64
    assert got.to_dict() == {"i": 1.0, "f": 0.25, "b": 0.25}  # in float64 the integers are one number
    whole = varstudy.var(frame)
    values = [big, big + 2, 0.5, 1.5, True, False]
    merged = varstudy.Moments()
    for value in values:
        merged.update(value)
    assert whole == merged.variance()
    assert varstudy.var(frame, keepdims=True).shape == (1, 1)
    assert varstudy.var(frame, axis=0, keepdims=True).tolist() == [[1.0, 0.25, 0.25]]
    rows = varstudy.mean(frame[["f", "b"]].astype({"b": np.float64}), axis=1)
    assert rows.tolist() == [0.75, 0.75]
    assert rows.index.equals(frame.index)
    mask = np.array([[True, True, False], [False, True, True]])
    assert varstudy.mean(frame, axis=0, where=mask).tolist() == [float(big), 1.0, 0.0]
    assert varstudy.var(frame, axis=0, method="welford").index.tolist() == ["i", "f", "b"]


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "Float32", "UInt8"])
def test_missing_values(dtype: str) -> None:
    s = pd.Series([1, None, 3], dtype=dtype)
    assert np.isnan(varstudy.var(s))
    assert varstudy.var(s, nan_policy="omit") == 1.0
    assert varstudy.mean(s, nan_policy="omit", where=[True, True, False]) == 1.0
    with pytest.raises(ValueError, match="nan values"):
        varstudy.mean(s, nan_policy="raise")
    assert varstudy.var(s.dropna()) == 1.0
    frame = pd.DataFrame({"a": s, "b": [1.0, np.nan, 1.0]})
    assert varstudy.var(frame, axis=0, nan_policy="omit").tolist() == [1.0, 0.0]
    assert varstudy.mean(frame, axis=0).isna().all()
    assert varstudy.mean(frame, nan_policy="omit") == 1.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert varstudy.mean(frame, axis=1, nan_policy="omit").fillna(-1).tolist() == [1.0, -1.0, 2.0]


def test_missing_integers_are_left_out_exactly() -> None:
    s = pd.Series([2**62 + 1, None, 2**62 + 3], dtype="Int64")
    assert varstudy.var(s, nan_policy="omit") == 1.0


@pytest.mark.parametrize(
    "series",
    [
        pd.Series(["a", "b"], dtype=object),
        pd.Series(["a", "b"], dtype="category"),
        pd.Series(pd.to_datetime(["2020-01-01"])),
        pd.Series(["a"], dtype="string"),
    ],
    ids=lambda s: str(s.dtype),
)
def test_columns_without_moments(series: Any) -> None:
    for x in (series, series.to_frame(), pd.DataFrame({"n": 1.0, "s": series})):
        with pytest.raises(TypeError, match=r"^x has the dtype"):
            varstudy.var(x, axis=0)


def test_complex_columns_next_to_others_are_refused() -> None:
    frame = pd.DataFrame({"n": [1.0, 2.0], "c": [1j, 2.0]})
    with pytest.raises(TypeError, match=r"dtype complex128, .* x\.real and x\.imag"):
        varstudy.var(frame, axis=0)


def test_empty_frames() -> None:
    assert varstudy.var(pd.DataFrame(index=[1, 2]), axis=0).shape == (0,)
    with pytest.warns(RuntimeWarning, match=r"^Degrees of freedom"):
        assert varstudy.var(pd.DataFrame({"a": [], "b": []}, dtype=float), axis=0).isna().tolist() == [True, True]
    with pytest.warns(RuntimeWarning, match=r"^Mean of empty slice") as caught:
        assert np.isnan(varstudy.mean(pd.Series([], dtype=float)))
    assert caught[0].filename == __file__
