"""Moments as vectors that merge by addition: the same bits for any number of ranks, and what does not fit is said."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varkernels.formats import FORMATS
from varstudy import Moments

LENGTHS = {"float16": 13, "bfloat16": 34, "float32": 35, "float64": 206, "int64": 14, "uint8": 14, "bool": 14}


def dtype_of(name: str) -> Any:
    return ml_dtypes.bfloat16 if name == "bfloat16" else np.dtype(name)


def extremes(name: str) -> list[Any]:
    dtype = dtype_of(name)
    if name in FORMATS:
        info = ml_dtypes.finfo(dtype)
        return [info.max, info.min, info.tiny, info.smallest_subnormal, -info.smallest_subnormal, 0, 1, -3]
    if name == "bool":
        return [False, True]
    return [np.iinfo(dtype).min, np.iinfo(dtype).max, 1, 0]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_ranks_that_are_added_have_the_bits_of_the_whole(data: Any) -> None:
    name = data.draw(st.sampled_from(list(LENGTHS)))
    special = [np.nan, np.inf, -np.inf] if name in FORMATS else []
    with np.errstate(all="ignore"):
        ranks = [
            np.array(data.draw(st.lists(st.sampled_from(extremes(name) + special), max_size=6)), dtype=dtype_of(name))
            for _ in range(data.draw(st.integers(1, 5)))
        ]
    vectors = [Moments().update(rank).to_vector(dtype_of(name)) for rank in ranks]
    assert {vector.shape for vector in vectors} == {(LENGTHS[name],)}
    assert {vector.dtype for vector in vectors} == {np.dtype(np.int64)}
    whole = Moments().update(np.concatenate(ranks))
    assert Moments.from_vector(np.sum(vectors, axis=0), dtype_of(name)) == whole


@pytest.mark.parametrize("name", FORMATS)
def test_many_vectors_are_added_before_a_carry(name: str) -> None:
    """2^31 of the vector with the largest limbs that there are, as one product: no limb leaves int64."""
    largest = extremes(name)[0]
    x = np.array([largest, largest, extremes(name)[3], -1], dtype=dtype_of(name))
    vector = Moments().update(x).to_vector(dtype_of(name))
    assert int(np.abs(vector).max()) < 2**32
    many = vector * 2**31
    assert [int(v) for v in many] == [int(v) * 2**31 for v in vector]
    found = Moments.from_vector(many, dtype_of(name))
    assert found.count == 4 * 2**31
    assert found == Moments().update(x, weights=2**31)


def test_features() -> None:
    x = np.random.default_rng(0).normal(1000, 1, (9, 4, 3)).astype(np.float32)
    whole = Moments(axis=(0, 2)).update(x)
    parts = [Moments(axis=(0, 2)).update(part) for part in np.array_split(x, [2, 7])]
    vectors = [part.to_vector(np.float32) for part in parts]
    assert vectors[0].shape == (4, 35)
    assert Moments.from_vector(sum(vectors), np.float32, axis=(0, 2)) == whole
    omitting = Moments.from_vector(vectors[0], np.float32, axis=0, nan_policy="omit")
    assert (omitting.nan_policy, omitting.shape) == ("omit", (4,))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_each_feature_has_the_vector_of_its_own_values(data: Any) -> None:
    name = data.draw(st.sampled_from(list(LENGTHS)))
    usual = [1.5, -0.25, 100] if name in FORMATS else [1] if name == "bool" else [7, 100]
    special = [np.nan, np.inf, -np.inf] if name in FORMATS else []
    numbers = st.one_of(st.sampled_from(usual), st.sampled_from(extremes(name) + special))
    rows, features = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 6))
    listed = data.draw(st.lists(numbers, min_size=rows * features, max_size=rows * features))
    with np.errstate(all="ignore"):
        x = np.array(listed, dtype=dtype_of(name)).reshape(rows, features)
    whole = Moments(axis=0).update(x)
    vectors = whole.to_vector(dtype_of(name))
    for feature, vector in zip(x.T, vectors, strict=True):
        assert np.array_equal(vector, Moments().update(feature).to_vector(dtype_of(name)))
    assert Moments.from_vector(vectors, dtype_of(name), axis=0) == whole
    again = vectors + Moments(axis=0).update(x[:1]).to_vector(dtype_of(name))
    assert Moments.from_vector(again, dtype_of(name), axis=0) == whole.copy().update(x[:1])


@pytest.mark.parametrize("features", [False, True])
def test_values_that_a_dtype_has_not(features: bool) -> None:
    for value, dtype, problem in (
        (1e300, "float16", "too large"),
        (1e-300, "float32", "no multiple"),
        (0.5, "int8", "no"),
    ):
        x = Moments(axis=0).update([[1.0, value]]) if features else Moments().update([1.0, value])
        with pytest.raises(ValueError, match=rf"{problem} .*use a wider dtype"):
            x.to_vector(dtype)


def test_no_values() -> None:
    zero = Moments().to_vector(np.float32)
    assert not zero.any()
    assert Moments.from_vector(zero, np.float32) == Moments()
    with pytest.raises(ValueError, match="the shape of the features"):
        Moments(axis=0).to_vector(np.float32)


def test_errors() -> None:
    m = Moments().update([1e-300, 2.0])
    with pytest.raises(
        ValueError, match=r"a value is no multiple of 2\^-149, as those of float32 are: use a wider dtype"
    ):
        m.to_vector("float32")
    with pytest.raises(ValueError, match=r"multiple of 2\^0, as those of int64"):
        m.to_vector(int)
    with pytest.raises(ValueError, match="method 'exact'"):
        Moments("chan").update([1.0]).to_vector(float)
    for wrong in ("float8", complex, None, object, "U1"):
        with pytest.raises(TypeError, match="has no vectors"):
            m.to_vector(wrong)
    vector = m.to_vector(float)
    with pytest.raises(TypeError, match="not int64"):
        Moments.from_vector(vector.astype(float), float)
    for bad in (vector[:-1], vector[np.newaxis], np.int64(3)):
        with pytest.raises(ValueError, match=r"for float64 it has to be \(206,\)"):
            Moments.from_vector(bad, float)
    with pytest.raises(ValueError, match=r"\(features, 206\)"):
        Moments.from_vector(vector[:-1], float, axis=0)
    for place in (0, 1, 205):
        bad = vector.copy()
        bad[place] = -1 if place else 1
        with pytest.raises(ValueError, match="vector holds no moments"):
            Moments.from_vector(bad, float)
