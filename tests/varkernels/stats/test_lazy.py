"""Arrays of Dask and xarray: lazy, labelled, and the same bits for every chunking."""

from __future__ import annotations

import functools
import itertools
import operator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import varstudy
from varkernels.stats import reading
from varstudy import Moments

dask = pytest.importorskip("dask", reason="needs dask: pip install 'varstudy[dask]'")
da = pytest.importorskip("dask.array", reason="needs dask: pip install 'varstudy[dask]'")
dd = pytest.importorskip("dask.dataframe", reason="needs dask's DataFrames: pip install 'varstudy[dask]'")

CHUNKS = ((9, 4, 3), (4, 2, 3), (1, 4, 1))
AXES = (None, 0, 1, -1, (0, 2), (0, 1, 2), ())


def values(dtype: Any) -> Any:
    x = np.random.default_rng(0).normal(size=(9, 4, 3)) * 3 + 1e4
    return x.astype(dtype)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8", ">f8"])
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_every_chunking_has_the_bits_of_the_whole(chunks: tuple[int, ...], dtype: str) -> None:
    x = values(dtype)
    lazy = da.from_array(x, chunks=chunks)
    for axis, keepdims in itertools.product(AXES, (False, True)):
        for function, more in (
            (varstudy.var, {"correction": 0.5}),
            (varstudy.std, {"dtype": np.float64}),
            (varstudy.mean, {}),
        ):
            want = function(x, axis=axis, keepdims=keepdims, **more)
            found = function(lazy, axis=axis, keepdims=keepdims, **more)
            assert isinstance(found, da.Array)
            assert (found.shape, found.dtype) == (np.shape(want), want.dtype)
            computed = found.compute(scheduler="threads")
            assert type(computed) is type(want)
            assert computed.dtype == want.dtype
            assert np.array_equal(computed, want)


def test_it_is_lazy() -> None:
    def fails(block: Any) -> Any:
        raise RuntimeError("computed")

    lazy = da.from_array(np.ones((4, 2)), chunks=2).map_blocks(fails, dtype=float, meta=np.empty((0, 0)))
    found = varstudy.var(lazy, axis=0)
    with pytest.raises(RuntimeError, match="computed"):
        found.compute()


def test_nan_policies_and_no_values() -> None:
    x = values(float)
    x[3, 2, 1] = np.nan
    lazy = da.from_array(x, chunks=(4, 2, 3))
    for policy in ("omit", "propagate"):
        want = varstudy.var(x, axis=0, nan_policy=policy)
        found = varstudy.var(lazy, axis=0, nan_policy=policy).compute()
        assert np.array_equal(found, want, equal_nan=True)
    with pytest.raises(ValueError, match="contains nan"):
        varstudy.var(lazy, nan_policy="raise").compute()
    empty = varstudy.mean(da.zeros((0, 3), chunks=(1, 3)), axis=0).compute()
    assert np.isnan(empty).all()
    assert empty.shape == (3,)
    mean, variance = (each.compute() for each in varstudy.mean_var(lazy, axis=(0, 1), nan_policy="omit"))
    assert np.array_equal(mean, varstudy.mean(x, axis=(0, 1), nan_policy="omit"))
    assert np.array_equal(variance, varstudy.var(x, axis=(0, 1), nan_policy="omit"))


def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many values each read had, from now on."""
    sizes: list[int] = []
    real = reading.read

    def counted(x: Any, *more: Any) -> Any:
        sizes.append(x.size)
        return real(x, *more)

    monkeypatch.setattr(reading, "read", counted)
    return sizes


def test_answers_that_are_computed_together_share_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    x = values(np.float32)
    lazy = da.from_array(x, chunks=(3, 2, 3))
    both = varstudy.mean_var(lazy, axis=0, correction=1)
    std = varstudy.std(lazy, axis=0)
    assert [each.dtype for each in both] == [np.float32, np.float32]
    sizes = reads(monkeypatch)
    mean, variance, deviation = dask.compute(*both, std, scheduler="synchronous")
    assert sorted(sizes) == [18] * 6
    assert np.array_equal(mean, varstudy.mean(x, axis=0))
    assert np.array_equal(variance, varstudy.var(x, axis=0, correction=1))
    assert np.array_equal(deviation, varstudy.std(x, axis=0))


@pytest.mark.parametrize("method", ["exact", "chan"])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_moments_take_an_array_chunk_by_chunk(
    chunks: tuple[int, ...], axis: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = values(np.float64)
    x[1, 2, 0] = np.nan
    want = Moments(method, axis=axis, nan_policy="omit").update(x)
    sizes = reads(monkeypatch)
    with dask.config.set(scheduler="synchronous"):
        found = Moments(method, axis=axis, nan_policy="omit").update(da.from_array(x, chunks=chunks))
    assert (len(sizes), sum(sizes)) == (da.from_array(x, chunks=chunks).npartitions, x.size)
    assert found.shape == want.shape
    assert np.array_equal(found.count, want.count)
    if method == "exact":
        assert found == want
    else:
        np.testing.assert_allclose(found.variance(), want.variance(), rtol=1e-12)


def test_moments_of_odd_arrays() -> None:
    assert Moments().update(da.zeros((0, 3), chunks=1)).count == 0
    assert Moments(axis=0).update(da.zeros((0, 3), chunks=(1, 2))).shape is None
    assert Moments(axis=()).update(da.ones((2, 3), chunks=2)).shape == (2, 3)
    assert Moments().update(da.from_array(np.array(3.0))).mean == 3
    lazy = da.ones((5, 4), chunks=2)
    assert Moments(axis=0).update(lazy[lazy[:, 0] > 0]).count.tolist() == [5] * 4  # of sizes that nobody knows yet
    with pytest.raises(ValueError, match="weights are not taken with values of Dask"):
        Moments().update(lazy, weights=1)
    with pytest.raises(ValueError, match="features have the shape"):
        Moments(axis=0).update(np.ones((2, 3))).update(lazy)


def test_large_values_that_dask_loses() -> None:
    x = np.array([1e8 + i % 2 for i in range(1000)])
    for chunks in (10, 333, 1000):
        assert varstudy.var(da.from_array(x, chunks=chunks)).compute() == 0.25


def test_errors_come_at_once() -> None:
    lazy = da.ones((4, 2), chunks=2)
    with pytest.raises(ValueError, match=r"where is not taken .* give dask\.array\.where"):
        varstudy.var(lazy, where=np.array([True, False]))
    with pytest.raises(np.exceptions.AxisError):
        varstudy.var(lazy, axis=2)
    with pytest.raises(TypeError, match="complex"):
        varstudy.var(lazy.astype(complex))
    with pytest.raises(ValueError, match="unknown"):
        varstudy.var(lazy, method="nobody").compute()


def frame() -> Any:
    g = np.random.default_rng(5)
    columns = {"a": g.normal(1e6, 1, 50).astype(np.float32), "b": 2**60 + np.arange(50), "c": g.normal(1e8, 1, 50)}
    found = pd.DataFrame(columns, index=range(100, 150))
    found.loc[120:130, "c"] = np.nan
    return found


@pytest.mark.parametrize("partitions", [1, 3, 50])
@pytest.mark.parametrize("policy", ["omit", "propagate"])
@pytest.mark.parametrize("function", [varstudy.var, varstudy.std, varstudy.mean])
def test_a_data_frame_of_dask_answers_what_pandas_would(function: Any, policy: str, partitions: int) -> None:
    plain = frame()
    lazy = dd.from_pandas(plain, npartitions=partitions)
    for axis in (0, 1, None):
        found = function(lazy, axis=axis, nan_policy=policy)
        want = function(plain, axis=axis, nan_policy=policy)
        assert hasattr(found, "dask")
        if axis is None:
            assert np.array_equal(found.compute(), want, equal_nan=True)
        else:
            pd.testing.assert_series_equal(found.compute(), want, check_exact=True)
    for name in plain:
        found = function(lazy[name], nan_policy=policy).compute()
        assert np.array_equal(found, function(plain[name], nan_policy=policy), equal_nan=True)


def test_data_frames_of_dask_are_lazy_and_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = frame()[["a", "b"]]
    lazy = dd.from_pandas(plain, npartitions=5)
    sizes = reads(monkeypatch)
    both = varstudy.mean_var(lazy, axis=0, correction=1)
    assert max(sizes, default=0) == 0
    mean, variance = dask.compute(*both, scheduler="synchronous")
    assert [size for size in sizes if size] == [20] * 5
    pd.testing.assert_series_equal(mean, varstudy.mean(plain, axis=0), check_exact=True)
    pd.testing.assert_series_equal(variance, varstudy.var(plain, axis=0, correction=1), check_exact=True)
    assert Moments(axis=0).update(lazy) == Moments(axis=0).update(plain)
    assert Moments().update(lazy["b"]) == Moments().update(plain["b"])


def test_data_frames_of_dask_in_pandas_own_dtypes() -> None:
    plain = pd.DataFrame({"i": pd.array([2**62 + 1, None, 2**62 + 3, 5] * 3, dtype="Int64"), "f": np.arange(12.0)})
    lazy = dd.from_pandas(plain, npartitions=4)
    for policy in ("omit", "propagate"):
        found = varstudy.var(lazy, axis=0, nan_policy=policy).compute()
        pd.testing.assert_series_equal(found, varstudy.var(plain, axis=0, nan_policy=policy), check_exact=True)
    none = lazy[lazy.f > 100]
    assert varstudy.var(none, axis=0).compute().isna().all()
    assert np.isnan(varstudy.mean(none.f).compute())


def test_errors_of_data_frames_come_at_once() -> None:
    lazy = dd.from_pandas(frame(), npartitions=2)
    with pytest.raises(TypeError, match="no mean and variance"):
        varstudy.var(dd.from_pandas(pd.DataFrame({"s": ["a", "b"]}), npartitions=1), axis=0)
    with pytest.raises(ValueError, match=r"keepdims .* not taken"):
        varstudy.var(lazy, axis=0, keepdims=True)
    with pytest.raises(ValueError, match="where is not taken with DataFrames"):
        varstudy.var(lazy, where=True & np.ones(3, dtype=bool))
    with pytest.raises(np.exceptions.AxisError):
        varstudy.var(lazy, axis=2)


def test_a_fold_of_arrays_over_a_bag_leaves_its_start_alone() -> None:
    bags = pytest.importorskip("dask.bag")
    pieces = [np.arange(10 * i, 10 * i + 10) for i in range(8)]
    start = Moments()
    folded = bags.from_sequence(pieces, npartitions=4).fold(
        lambda total, x: total + Moments().update(x), operator.add, initial=start
    )
    for scheduler in ("threads", "synchronous"):
        assert folded.compute(scheduler=scheduler) == Moments().update(np.arange(80))
    assert start.count == 0


def test_a_fold_over_a_bag() -> None:
    bag = pytest.importorskip("dask.bag").from_sequence(range(80), npartitions=4)
    start = Moments()
    parts = bag.map_partitions(lambda part: [Moments().update(list(part))])
    folded = parts.fold(operator.iadd, operator.iadd, initial=start).compute(scheduler="threads")
    assert folded == Moments().update(list(range(80)))
    assert start.count == 0
    assert functools.reduce(operator.iadd, parts.compute(scheduler="threads"), start) == folded


def test_labels_of_xarray() -> None:
    xarray = pytest.importorskip("xarray")
    x = values(np.float32)
    named = xarray.DataArray(x, dims=("time", "y", "x"), coords={"y": list("abcd")})
    for array in (named, named.chunk({"time": 4})):
        found = varstudy.var(array, axis=(0, 2), correction=1)
        assert found.dims == ("y",)
        assert found.y.values.tolist() == list("abcd")
        assert np.array_equal(found.values, varstudy.var(x, axis=(0, 2), correction=1))
        assert varstudy.mean(array).values == varstudy.mean(x)
        assert varstudy.std(array, axis=0, keepdims=True).shape == (1, 4, 3)
        assert np.array_equal(named.reduce(varstudy.var, dim="time"), varstudy.var(x, axis=0))
        assert Moments(axis=0).update(array) == Moments(axis=0).update(x)
    assert isinstance(varstudy.var(named.chunk({"time": 4}), axis=0).data, da.Array)
