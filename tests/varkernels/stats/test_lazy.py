"""Arrays of Dask and xarray: lazy, labelled, and the same bits for every chunking."""

from __future__ import annotations

import functools
import itertools
import operator
from typing import Any

import numpy as np
import pytest

import varstudy
from varstudy import Moments

da = pytest.importorskip("dask.array", reason="needs dask: pip install 'varstudy[dask]'")

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
    assert isinstance(varstudy.var(named.chunk({"time": 4}), axis=0).data, da.Array)
