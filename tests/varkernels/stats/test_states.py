"""Moments of each feature, weights, NaN policies, values taken out again, sums of moments: each against the whole."""

from __future__ import annotations

import functools
import math
import operator
import pickle
import threading
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import varstudy
from varkernels.formats import FORMATS
from varstudy import Moments

SHAPES = {0: (7, 5), -1: (5, 7), (0, 2, 3): (3, 4, 2, 3), (1,): (2, 3, 4), (0, 1): (6, 2)}
numbers = st.floats(-1e300, 1e300, allow_nan=False)


def same(a: Any, b: Any) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def values(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> NDArray[Any]:
    g = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        return g.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    return (g.normal(size=shape) * 100 + 1000).astype(dtype)


@pytest.mark.parametrize("dtype", [*(fmt.dtype for fmt in FORMATS.values()), np.int64, np.uint8, ">f4"], ids=str)
@pytest.mark.parametrize("axis", SHAPES, ids=str)
def test_each_feature_has_the_bits_of_the_whole(axis: Any, dtype: Any) -> None:
    whole = values(SHAPES[axis], dtype)
    along = axis if isinstance(axis, int) else axis[0]
    for cuts in ([1], [2, 2], [0, 3]):
        m = Moments(axis=axis)
        for part in np.array_split(whole, cuts, axis=along):
            m.update(np.asfortranarray(part))
        more = {"axis": axis, "dtype": m.dtype}
        assert same(m.mean, varstudy.mean(whole, **more))
        assert same(m.variance(1), varstudy.var(whole, correction=1, **more))
        assert same(m.std(0.5), varstudy.std(whole, correction=0.5, **more))
        kept = tuple(n for a, n in enumerate(whole.shape) if a not in np.atleast_1d(axis) % whole.ndim)
        assert m.shape == kept
        assert same(m.count, np.full(kept, whole.size // math.prod(kept)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_any_split_and_any_order_of_merges_gives_the_same_bytes(rows: list[list[float]], random: Any) -> None:
    x = np.array(rows)
    whole = Moments(axis=0).update(x)
    parts = [Moments(axis=0).update(part) for part in np.array_split(x, random.randint(1, 4))]
    random.shuffle(parts)
    for found in (Moments.merged(parts), sum(parts), functools.reduce(operator.add, parts)):
        assert found == whole
        assert found.to_bytes() == whole.to_bytes()
    assert pickle.loads(pickle.dumps(whole)) == whole
    assert whole - parts[0] == Moments.merged([Moments(axis=0).update(x) - parts[0], Moments(axis=0)])


@pytest.mark.parametrize("method", ["chan", "two_pass", "double_double"])
def test_features_of_a_named_algorithm(method: str) -> None:
    x = values((40, 6), np.float64)
    m = Moments(method, axis=0)
    for part in np.array_split(x, 7):
        m.update(part)
    np.testing.assert_allclose(m.mean, varstudy.mean(x, axis=0), rtol=1e-15)
    np.testing.assert_allclose(m.variance(1), varstudy.var(x, axis=0, correction=1), rtol=1e-13)
    assert Moments.from_bytes(m.to_bytes()) == m
    single = Moments(method)
    for part in np.array_split(x[:, 2], 7):
        single.update(part)
    assert m.variance()[2] == single.variance()
    assert m.mean[2] == single.mean


@pytest.mark.parametrize("method", ["two_pass", "kahan_two_pass", "corrected_two_pass", "double_double"])
def test_pieces_lose_nothing_of_a_large_mean(method: str) -> None:
    """The halves of each piece's mean are kept: else 1e6 + U(0, 0.01), the data of xarray-contrib/flox#422, loses five
    digits to the rounding of the means."""
    x = 1e6 + np.random.default_rng(1).random(12000) / 100
    m = Moments(method)
    for part in np.array_split(x, 12):
        m += Moments(method).update(part)
    exact = [Fraction(v) for v in x.tolist()]
    mean = sum(exact) / len(exact)
    variance = sum((v - mean) ** 2 for v in exact) / len(exact)
    once = abs(Fraction(float(varstudy.var(x, method=method))) / variance - 1)
    assert abs(Fraction(float(m.variance())) / variance - 1) < max(4 * once, Fraction(1, 2**48))


@pytest.mark.parametrize("method", ["exact", "chan"])
@pytest.mark.parametrize("axis", [None, 0])
def test_nan_policies(axis: Any, method: str) -> None:
    x = np.array([[1.0, 2.0], [np.nan, 4.0], [3.0, 9.0]])
    m = Moments(method, axis=axis, nan_policy="omit").update(x[:2]).update(x[2:])
    np.testing.assert_allclose(m.variance(), varstudy.var(x, axis=axis, nan_policy="omit"), rtol=1e-15)
    assert np.array_equal(m.count, (~np.isnan(x)).sum(axis=axis))
    assert np.isnan(np.min(Moments(method, axis=axis).update(x).variance()))
    strict = Moments(method, axis=axis, nan_policy="raise").update(x[:1])
    before = strict.to_bytes()
    with pytest.raises(ValueError, match="contains nan"):
        strict.update(x)
    assert strict.to_bytes() == before
    masked = np.ma.array(x, mask=np.isnan(x))
    assert strict.update(masked[1:]) is strict
    assert np.array_equal(strict.count, (~np.isnan(x)).sum(axis=axis))
    assert Moments.from_bytes(m.to_bytes()) == m


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(numbers, st.integers(0, 9)), min_size=1, max_size=12), st.sampled_from([None, 0]))
def test_weights_are_how_often_a_value_is_there(pairs: list[tuple[float, int]], axis: Any) -> None:
    x, often = np.array([v for v, _ in pairs]), np.array([w for _, w in pairs])
    if axis is None:
        repeated = np.repeat(x, often)
        assert Moments().update(x, weights=often).count == len(repeated)
        if len(repeated):
            assert Moments().update(x, weights=often) == Moments().update(repeated)
        return
    table = np.stack([x, x + 1.5], axis=1)
    found, repeated = Moments(axis=0).update(table, weights=often), np.repeat(table, often, axis=0)
    assert same(found.count, np.full(2, len(repeated)))
    if len(repeated):
        assert found == Moments(axis=0).update(repeated)


def test_weights_that_are_none() -> None:
    x = np.ones((3, 2))
    big = Moments().update([1.0, 3.0], weights=[2**40, 2**40 + 1])
    assert big.count == 2**41 + 1
    n, k = 2**41 + 1, 2**40
    assert Fraction(float(big.variance())) == Fraction(float(Fraction(4 * k * (k + 1), n * n)))
    assert Moments().update([5.0, 7.0], weights=[True, False]).mean == 5.0
    with pytest.raises(TypeError, match="integers, how often"):
        Moments().update([1.0], weights=[0.5])
    with pytest.raises(ValueError, match="negative"):
        Moments().update([1.0], weights=[-1])
    with pytest.raises(ValueError, match="broadcast"):
        Moments().update(x, weights=[1, 2, 3, 4])
    with pytest.raises(ValueError, match="need the method 'exact'"):
        Moments("chan").update(x, weights=1)
    with pytest.raises(ValueError, match="not for moments"):
        Moments().update(Moments(), weights=1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.1, 1e16, -3.0, 5e-324, 1.7e308, np.nan, np.inf, 2.5]), min_size=2, max_size=20),
    st.data(),
)
def test_what_was_taken_out_leaves_no_trace(x: list[float], data: Any) -> None:
    width = data.draw(st.integers(1, len(x) - 1))
    window = Moments().update(x[:width])
    columns = Moments(axis=0).update(np.array(x[:width])[:, None] * [1.0, -1.0])
    for old, new in zip(x, x[width:], strict=False):
        window.update(new).remove(old)
        columns.update(np.array([[new, -new]])).remove(np.array([[old, -old]]))
    last = np.array(x[-width:])
    assert window == Moments().update(last)
    assert columns == Moments(axis=0).update(last[:, None] * [1.0, -1.0])


def test_a_large_value_that_has_left_a_window() -> None:
    window = Moments().update([0.0, 1e16, 1.0]).update([2.0]).remove([0.0]).update([3.0]).remove([1e16])
    assert window.variance() == np.var([1.0, 2.0, 3.0])


def test_what_was_never_there_cannot_be_taken_out() -> None:
    for m, x in (
        (Moments(), [1.0]),
        (Moments().update([1.0, 2.0]), [1.0, 2.0, 3.0]),
        (Moments().update([1.0, 2.0]), [7.0]),
        (Moments().update([1.0, 2.0]), [np.nan]),
        (Moments().update([3.0, 3.0]), [3.5]),
        (Moments().update([3.0, 4.0]), [5.0, 0.0]),
        (Moments(axis=0).update([[1.0, 1.0], [2.0, 1.0]]), np.array([[1.0, 2.0]])),
        (Moments(axis=0).update([[1.0, 1.0], [1e300, 1.0]]), np.array([[1.5e300, 1.0]])),
    ):
        before = m.to_bytes()
        with pytest.raises(ValueError, match=r"not there|no values to take out"):
            m.remove(x)
        assert m.to_bytes() == before
    with pytest.raises(ValueError, match="cannot take values out"):
        Moments("chan").update([1.0]).remove([1.0])


def test_sums_of_moments() -> None:
    a, b = Moments().update([1.0, 2.0]), Moments().update([5.0])
    both = Moments().update([1.0, 2.0, 5.0])
    assert a + b == sum([a, b]) == Moments.merged([a, b]) == both
    assert both - b == a
    kept = total = a.copy()
    total += b
    assert total is kept
    assert total == both
    assert a.copy().update(b) == both
    assert a.count == 2
    assert Moments.merged([]) == Moments()
    for wrong in (3, "a", [1.0], np.ones(2), None):
        with pytest.raises(TypeError):
            a + wrong
        with pytest.raises(TypeError):
            wrong + a  # type: ignore[operator]
    with pytest.raises(TypeError, match=r"a part is int, not varstudy\.Moments"):
        Moments.merged([3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="other is int"):
        Moments.merged([a, 3])  # type: ignore[list-item]
    assert not hasattr(a, "merge")


def test_a_start_that_is_shared_stays_empty() -> None:
    start, pieces = Moments(), [[1.0, 2.0], [3.0], [7.0, 8.0, 9.0]]
    parts = [Moments().update(piece) for piece in pieces]
    for join in (operator.add, operator.iadd):
        for _ in range(2):
            assert functools.reduce(join, parts, start).count == 6
    assert start.count == 0
    by_name = dict.fromkeys("abc", Moments())
    for name, part in zip("abc", parts, strict=True):
        by_name[name] += part
    assert [m.count for m in by_name.values()] == [2, 1, 3]
    assert [m.count for m in parts] == [2, 1, 3]


def test_many_threads_share_one_object() -> None:
    m, features = Moments(), Moments(axis=0)

    def work(k: int) -> None:
        for i in range(50):
            m.update([float(i), float(k)])
            m.push(float(i))
            features.update([[float(i), float(k)]])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one = Moments()
    for k in range(8):
        one.update([[i, k, i] for i in map(float, range(50))])
        one.update(np.full(0, float(k)))
    assert m == one
    assert features.count.tolist() == [400, 400]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.floats(), st.integers(-(2**63), 2**63 - 1), st.booleans()), max_size=30))
def test_push_is_update_of_one_value(x: list[Any]) -> None:
    pushed, updated = Moments(), Moments()
    for value in x:
        pushed.push(value)
        updated.update([value])
    assert pushed == updated
    assert pushed.count == len(x)


def test_push() -> None:
    m = Moments()
    for i in range(10_000):
        m.push(i / 7)
    assert m == Moments().update(np.arange(10_000) / 7)
    m = Moments()
    m.push(np.float32(1.5))  # type: ignore[arg-type]
    assert m.dtype == np.float32
    with pytest.raises(TypeError, match="use update"):
        Moments(axis=0).push(1.0)
    with pytest.raises(TypeError, match="complex"):
        m.push(1j)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nan"):
        Moments(nan_policy="raise").push(math.nan)
    omitting = Moments(nan_policy="omit")
    omitting.push(math.nan)
    assert omitting.count == 0
    chan = Moments("chan")
    chan.push(2.0)
    assert chan.count == 1


def test_the_dtype_of_the_answers() -> None:
    large = np.array([300.0, -300.0] * 8, dtype=np.float16)
    assert Moments().update(large).variance() == np.float32(90000)
    assert Moments().update(large).variance(dtype=np.float16) == np.float16(np.inf)
    assert Moments().update(large.astype(ml_dtypes.bfloat16)).dtype == np.float32
    m = Moments(dtype="float64").update(np.array([0.1, 0.7], dtype=np.float32))
    assert m.dtype == m.variance().dtype == m.mean.dtype == np.float64
    assert m.std(dtype=np.float32).dtype == np.float32
    assert Moments(dtype=np.float32).dtype == np.float32
    for wrong in (np.int32, "float8", complex):
        with pytest.raises(TypeError, match="cannot hold the result"):
            m.variance(dtype=wrong)
        with pytest.raises(TypeError, match="cannot hold the result"):
            Moments(dtype=wrong)


def test_what_does_not_fit() -> None:
    m = Moments(axis=0).update(np.ones((3, 2)))
    before = m.to_bytes()
    with pytest.raises(ValueError, match=r"the features have the shape \(3,\), and these moments have \(2,\)"):
        m.update(np.ones((3, 3)))
    with pytest.raises(ValueError, match="of each feature"):
        m.update(Moments().update([1.0]))
    with pytest.raises(np.exceptions.AxisError):
        m.update(1.0)
    with pytest.raises(ValueError, match="by 'chan'"):
        m.update(Moments("chan"))
    assert m.to_bytes() == before
    with pytest.raises(ValueError, match="nan_policy='skip' must be"):
        Moments(nan_policy="skip")
    with pytest.raises(TypeError):
        Moments(axis=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="duplicate"):
        Moments(axis=(0, 0))
    assert m.update(np.ones((0, 2))).to_bytes() == before
    assert Moments(axis=0).count == 0
    assert np.isnan(Moments(axis=0).mean)
    assert Moments(axis=0).shape is None


def test_what_a_notebook_shows() -> None:
    m = Moments(axis=0).update(np.arange(6.0).reshape(3, 2))
    assert repr(m) == "<varstudy.Moments by 'exact' over axis 0: float64, features (2,)>"
    assert repr(Moments(axis=0)) == "<varstudy.Moments by 'exact' over axis 0: no data>"
    assert m._repr_html_().count("<tr>") == 3
    assert "and 990 more" in Moments(axis=0).update(np.ones((2, 1000)))._repr_html_()


@pytest.mark.parametrize("policy", ["propagate", "omit"])
def test_nan_are_counted_by_feature(policy: str) -> None:
    x = np.array([[1.0, np.nan, np.inf], [np.nan, np.nan, 2.0], [3.0, 4.0, 5.0]])
    features = varstudy.Moments(axis=0, nan_policy=policy)
    assert features.nan_count == 0
    features.update(x[:1]).update(x[1:])
    assert features.nan_count.tolist() == [1, 2, 0]
    assert features.count.tolist() == ([2, 1, 3] if policy == "omit" else [3, 3, 3])
    assert features.remove(x[:1]).nan_count.tolist() == [1, 1, 0]
    whole = varstudy.Moments(nan_policy=policy).update(x)
    assert whole.nan_count == 3
    assert type(whole.nan_count) is int
    with pytest.raises(ValueError, match="'welford' does not count NaN: use Moments"):
        _ = varstudy.Moments("welford").update([1.0]).nan_count
