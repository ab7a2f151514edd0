"""Durations and dates: mean and std in their own unit, rounded to the nearest, to even; their variance has no dtype."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import varstudy

UNITS = ("ns", "us", "D", "M")
durations = st.one_of(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(-9, 9), st.just(None))


def told(function: Any, *args: Any, **options: Any) -> tuple[Any, set[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = function(*args, **options)
    return found, {str(each.message) for each in caught}


def numbers(found: Any) -> Any:
    """Answers as integers, None for NaT."""
    return [None if np.isnat(each) else int(each.astype(np.int64)) for each in np.atleast_1d(found)]


def nearest_root(square: Fraction) -> int:
    root = math.isqrt(int(square))
    middle = (root + Fraction(1, 2)) ** 2
    return root if square < middle else root + 1 if square > middle else root + root % 2


@pytest.mark.parametrize("policy", ["propagate", "omit"])
@given(
    values=st.lists(durations, min_size=1, max_size=9), unit=st.sampled_from(UNITS), ddof=st.sampled_from([0, 1, -2])
)
def test_mean_and_std_are_exact_and_rounded_to_even(policy: str, values: list[Any], unit: str, ddof: int) -> None:
    x = np.array([-(2**63) if v is None else v for v in values]).view(f"m8[{unit}]")
    mean, _ = told(varstudy.mean, x, nan_policy=policy)
    std, warned = told(varstudy.std, x, nan_policy=policy, correction=ddof)
    assert mean.dtype == std.dtype == x.dtype
    counted = [v for v in values if v is not None]
    n = len(counted)
    if (policy == "propagate" and n < len(values)) or not n:
        assert numbers(mean) == numbers(std) == [None]
        return
    centre = Fraction(sum(counted), n)
    assert numbers(mean) == [round(centre)]
    if n <= ddof:
        assert numbers(std) == [None]
        assert warned == {"Degrees of freedom <= 0 for slice"}
        return
    root = nearest_root(sum((v - centre) ** 2 for v in counted) / (n - ddof))
    assert numbers(std) == [root if root < 2**63 else None]
    assert ("overflow encountered in reduce" in warned) == (root >= 2**63)


@pytest.mark.parametrize("order", ["C", "F", ">"])
def test_axes_masks_weights_and_groups(order: str) -> None:
    g = np.random.default_rng(2)
    x = g.integers(-(10**15), 10**15, (4, 5, 6)).view("m8[us]")
    x[1, 2, 3] = x[0, 0, 0] = "NaT"
    given_ = x.astype(x.dtype.newbyteorder(">")) if order == ">" else np.asarray(x, order=order)  # type: ignore[call-overload]
    where, often = g.random(x.shape) < 0.8, g.integers(0, 3, x.shape)
    for axis in (None, 0, 1, (0, 2), ()):
        for function in (varstudy.mean, varstudy.std):
            for policy in ("propagate", "omit"):
                found, _ = told(function, given_, axis=axis, where=where, weights=often, nan_policy=policy)
                axes = tuple(range(3)) if axis is None else np.atleast_1d(axis).astype(int).tolist()
                kept = [a for a in range(3) if a not in axes]
                shape = [x.shape[a] for a in kept]
                rows, counts = (each.transpose([*kept, *axes]).reshape(*shape, -1) for each in (x, often * where))
                assert found.shape == tuple(shape)
                for place in np.ndindex(*shape):
                    alone = told(function, np.repeat(rows[place], counts[place]), nan_policy=policy)[0]
                    assert numbers(found[place]) == numbers(alone)
    kept_dims, _ = told(varstudy.std, given_, axis=1, keepdims=True)
    assert kept_dims.shape == (4, 1, 6)
    by = np.array([1, 0, 1, 1, 0, 1])
    groups = varstudy.mean(given_, axis=2, by=by)
    assert numbers(groups[..., 1].ravel()) == numbers(varstudy.mean(x[..., by == 1], axis=2).ravel())
    masked = varstudy.mean(np.ma.array(x, mask=np.isnat(x)), axis=0)
    assert numbers(masked.filled().ravel()) == numbers(varstudy.mean(x, axis=0, nan_policy="omit").ravel())


def test_nat_is_what_nan_is() -> None:
    x = np.array([1, "NaT", 4], dtype="m8[s]")
    assert np.isnat(varstudy.mean(x))
    assert np.isnat(varstudy.mean(x)) == np.isnat(np.mean(x))
    assert varstudy.mean(x, nan_policy="omit") == np.timedelta64(2, "s")  # 2.5, to even
    assert varstudy.mean(x, where=[True, False, True], nan_policy="raise") == np.timedelta64(2, "s")
    with pytest.raises(ValueError, match="contains nan"):
        varstudy.std(x, nan_policy="raise")
    empty, warned = told(varstudy.mean, x[:0])
    assert np.isnat(empty)
    assert warned == {"Mean of empty slice"}


@pytest.mark.peers
def test_as_pandas_but_for_the_rounding() -> None:
    pd = pytest.importorskip("pandas")
    x = pd.Series(pd.to_timedelta([1000, 3000, 5000], "us"))
    assert varstudy.std(x, ddof=1) == x.std() == np.timedelta64(2000, "us")
    assert varstudy.mean(x) == x.mean()
    frame = varstudy.std(pd.DataFrame({"a": x, "b": 2 * x}), axis=0, ddof=1)
    assert frame.tolist() == [pd.Timedelta(2000, "us"), pd.Timedelta(4000, "us")]
    grouped = varstudy.std(x, by=["a", "b", "a"])
    assert grouped.tolist() == [pd.Timedelta(2000, "us"), pd.Timedelta(0)]
    series = x.groupby(["a", "b", "a"]).agg(varstudy.mean)
    assert series.tolist() == [pd.Timedelta(3000, "us"), pd.Timedelta(3000, "us")]
    far = pd.Series(np.array([2**62, 2**62 + 3], dtype="m8[ns]"))
    assert varstudy.mean(far) == np.timedelta64(2**62 + 2, "ns")
    dates = pd.Series(np.array(["2020-01-01", "2020-01-04", "NaT"], dtype="M8[us]"))
    assert varstudy.mean(dates, nan_policy="omit") == dates.mean()
    assert varstudy.std(dates, nan_policy="omit") == dates.std(ddof=0)
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    for column in (pl.Series([*x.to_list(), None]), pa.array([*x.to_list(), None])):
        assert varstudy.std(column, ddof=1, nan_policy="omit") == np.timedelta64(2000, "us")
        assert np.isnat(varstudy.mean(column))


def test_dates() -> None:
    x = np.array(["2020-01-01", "2020-01-03", "2020-01-04"], dtype="M8[D]")
    assert varstudy.mean(x) == np.datetime64("2020-01-03")  # 2.67 days from the first one
    assert varstudy.std(x) == np.timedelta64(1, "D")
    assert varstudy.std(x).dtype == np.dtype("m8[D]")


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"dtype": "f8"}, TypeError, r"the answers for timedelta64\[us\] have its own unit"),
        ({"method": "welford"}, ValueError, r"timedelta64\[us\] need the method 'exact'"),
    ],
)
def test_what_durations_do_not_take(options: dict[str, Any], kind: type, words: str) -> None:
    x = np.array([1, 2], dtype="m8[us]")
    with pytest.raises(kind, match=words):
        varstudy.std(x, **options)
    for function in (varstudy.var, varstudy.mean_var):
        with pytest.raises(TypeError, match=r"has the unit squared, which no dtype has: use std, or x\.astype"):
            function(x)
    for call in (lambda: varstudy.Moments().update(x), lambda: varstudy.rolling_var(x, 2)):
        with pytest.raises(TypeError, match="timedelta64"):
            call()
