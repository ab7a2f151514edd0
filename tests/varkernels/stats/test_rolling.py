"""Rolling variances: each answer has the bits of its own window's variance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import varstudy
from varkernels.formats import FORMATS
from varstudy import Moments, rolling_var


def expected(x: Any, window: int, least: int, correction: float) -> Any:
    """One window after the other."""
    out = np.full(len(x), np.nan, dtype=varstudy.var(np.ones(1, dtype=x.dtype)).dtype)
    for i in range(len(x)):
        values = x[max(0, i - window + 1) : i + 1]
        if len(values) >= least and len(values) > correction:
            with np.errstate(all="ignore"):
                out[i] = varstudy.var(values, correction=correction)
    return out


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_each_window_has_its_own_variance(data: Any) -> None:
    dtype = data.draw(st.sampled_from([*(fmt.dtype for fmt in FORMATS.values()), np.dtype(np.int64), np.dtype(">f4")]))
    numbers = [0.0, 1e4, -3.0, 0.125, 6e4] + ([] if dtype.kind == "i" else [np.nan, np.inf, -np.inf])
    with np.errstate(all="ignore"):
        x = np.array(data.draw(st.lists(st.sampled_from(numbers), max_size=20))).astype(dtype)
        window = data.draw(st.integers(1, 22))
        least = data.draw(st.integers(1, window))
        correction = data.draw(st.sampled_from([0, 1, 0.5]))
        found = rolling_var(x, window, min_periods=least, correction=correction)
    assert found.dtype == expected(x, window, least, correction).dtype
    assert np.array_equal(found, expected(x, window, least, correction), equal_nan=True)


@pytest.mark.parametrize("dtype", [*(fmt.dtype for fmt in FORMATS.values()), np.int64, np.uint64, ">f8"], ids=str)
def test_long_windows_have_their_own_variance_too(dtype: Any) -> None:
    g = np.random.default_rng(3)
    with np.errstate(all="ignore"):
        x = (g.normal(100, 1, 12_000) * 2.0 ** g.integers(-30, 30, 12_000)).astype(dtype)
        if np.dtype(dtype).kind in "iu":
            x[::1000] = np.iinfo(dtype).max
        else:
            x[[2000, 2001, 9000]] = 1e16, -1e16, np.nan
            x[3000:3100] *= np.asarray(1e-310).astype(dtype)
    for correction, least in ((0, 5), (1, 3000)):
        found = rolling_var(x, 3000, min_periods=least, correction=correction)
        assert np.isnan(found[: least - 1].astype(float)).all()
        for i in [*range(least - 1, 12_000, 500), 2999, 3000, 5000, 5001, 5002, 11_999, 11_998]:
            with np.errstate(all="ignore"):
                want = varstudy.var(x[max(0, i - 2999) : i + 1], correction=correction)
            assert found.dtype == want.dtype
            assert found[i] == want or (np.isnan(found[i]) and np.isnan(want))


def test_long_windows_along_any_axis_keep_labels() -> None:
    x = np.random.default_rng(4).normal(1e6, 1, (5000, 3))
    found = rolling_var(x, 2500, axis=0)
    assert np.array_equal(found[4000], varstudy.var(x[1501:4001], axis=0))
    holed = pd.Series([2**62 + 1] * 4000 + [None] + [2**62 + 3] * 5000, dtype="Int64")
    long = rolling_var(holed, 3000)
    assert long.index.equals(holed.index)
    assert long[3999] == 0
    assert long[4000:6999].isna().all()
    assert long[7000] == 0


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_any_axis_and_layout(axis: int) -> None:
    x = np.random.default_rng(0).normal(1e5, 1, (7, 6, 5)).astype(np.float32)[:, ::-1]
    found = rolling_var(x, 3, correction=1, axis=axis, dtype=np.float64)
    assert found.shape == x.shape
    assert found.dtype == np.float64
    windows = np.lib.stride_tricks.sliding_window_view(x, 3, axis=axis)
    want = varstudy.var(windows, axis=-1, correction=1, dtype=np.float64)
    assert np.array_equal(np.moveaxis(found, axis, 0)[2:], np.moveaxis(want, axis, 0))
    assert np.isnan(np.moveaxis(found, axis, 0)[:2]).all()


def test_nothing_of_a_large_value_is_left() -> None:
    x = np.array([0.5, 1e16, 0.25, 0.75, 1.25])
    assert rolling_var(x, 3)[-1] == np.var([0.25, 0.75, 1.25])
    window = Moments()
    for i, value in enumerate(x):
        window.update(value)
        if i >= 3:
            window.remove(x[i - 3])
            assert window.variance() == rolling_var(x, 3)[i]


def test_pandas_keeps_its_labels() -> None:
    s = pd.Series([1.0, 2.0, 4.0, 8.0], index=list("abcd"), name="s")
    pd.testing.assert_series_equal(rolling_var(s, 2, correction=1), s.rolling(2).var())
    pd.testing.assert_series_equal(rolling_var(s, 3, correction=1, min_periods=2), s.rolling(3, min_periods=2).var())
    holed = pd.Series([2**62 + 1, 2**62 + 3, None, 5], dtype="Int64")
    assert rolling_var(holed, 2).fillna(-1).tolist() == [-1.0, 1.0, -1.0, -1.0]


def test_bad_arguments() -> None:
    x = np.ones(4)
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=f"window={wrong} is less than 1"):
            rolling_var(x, wrong)
    for wrong in (1.5, "2", None, True):  # type: ignore[assignment]
        with pytest.raises(TypeError, match="window="):
            rolling_var(x, wrong)
    with pytest.raises(ValueError, match="min_periods=3 is more than window=2"):
        rolling_var(x, 2, min_periods=3)
    with pytest.raises(TypeError, match="real number"):
        rolling_var(x[:0], 2, correction="1")  # type: ignore[arg-type]
    with pytest.raises(np.exceptions.AxisError):
        rolling_var(x, 2, axis=1)
    with pytest.raises(np.exceptions.AxisError):
        rolling_var(3.0, 1)
    with pytest.raises(TypeError, match="complex"):
        rolling_var([1j], 1)
    assert rolling_var(np.zeros((0, 3)), 2).shape == (0, 3)
    assert rolling_var(np.zeros((3, 0)), 2).shape == (3, 0)
    assert np.isnan(rolling_var(x, 9)).all()
