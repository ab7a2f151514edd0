"""by= of var, std, mean and mean_var: each group's answer is that of its own values; pandas' groupby takes ours."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import varstudy

pd = pytest.importorskip("pandas")
FUNCTIONS = (varstudy.var, varstudy.std, varstudy.mean)
STAMPS = np.array(["2020-01-01", "2019-01-01", "2021-05-05"], dtype="M8[D]")
# Labels of every kind: sorted, and then as they come.
LABELS: dict[str, list[Any]] = {
    "int": [-3, 0, 7],
    "far integers": [-(2**63), 0, 2**63 - 1],
    "unsigned": [np.uint64(2**63), np.uint64(2**64 - 2), np.uint64(2**64 - 1)],
    "int8": [np.int8(-128), np.int8(0), np.int8(127)],
    "float": [-1.5, 0.0, 1e300],
    "str": ["", "a", "b"],
    "bool": [np.False_, np.True_],
    "datetime": sorted(STAMPS),
    "timedelta": sorted(STAMPS - STAMPS[0]),
}


def quiet(function: Any, *args: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*args, **options)


def same(a: Any, b: Any) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def one_by_one(function: Any, x: NDArray[Any], by: NDArray[Any], **options: Any) -> NDArray[Any]:
    return np.array([quiet(function, x[by == label], **options) for label in np.unique(by)])


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("function", FUNCTIONS)
@settings(max_examples=25)
@given(data=st.data())
def test_a_group_answers_as_if_it_stood_alone(kind: str, function: Any, data: Any) -> None:
    pairs = data.draw(
        st.lists(
            st.tuples(st.floats(-1e200, 1e200), st.sampled_from(range(len(LABELS[kind])))), min_size=1, max_size=20
        )
    )
    x, by = np.array([v for v, _ in pairs]), np.array([LABELS[kind][k] for _, k in pairs])
    found = quiet(function, x, by=by)
    assert same(found, one_by_one(function, x, by))
    series = quiet(function, pd.Series(x, name="x"), by=by)
    assert same(series.to_numpy(), found)
    assert same(series.index.to_numpy(), pd.Index(np.unique(by)).to_numpy())
    assert series.name == "x"
    assert same(quiet(function, x.tolist(), by=list(by)), found)


@pytest.mark.parametrize("dtype", ["?", "i1", "i8", "u8", "f2", ml_dtypes.bfloat16, "f4", "f8", ">f4"])
@pytest.mark.parametrize("groups", [1, 3, 70_000])
def test_many_groups_of_every_dtype(dtype: Any, groups: int) -> None:
    g = np.random.default_rng(groups)
    by = g.integers(0, groups, 200_000 if groups > 3 else 500) - groups // 2
    x = (g.normal(size=len(by)) * 50).astype(dtype)
    found = quiet(varstudy.var, x, by=by, correction=1)
    if groups < 4:
        assert same(found, one_by_one(varstudy.var, x, by, correction=1))
        return
    labels, counts = np.unique(by, return_counts=True)
    assert len(found) == len(labels)
    for k in g.choice(len(labels), 50):
        assert same(found[k], quiet(varstudy.var, x[by == labels[k]], correction=1))
    assert np.isnan(found[counts == 1]).all()
    assert np.isfinite(found[counts > 1].astype(float)).all()


def test_along_an_axis() -> None:
    g = np.random.default_rng(3)
    x, by = g.normal(size=(6, 5, 4)).astype(np.float32), np.array(list("babca"))
    for order in ("C", "F"):
        found = quiet(varstudy.var, np.asarray(x, order=order), axis=1, by=by, correction=1, dtype=np.float64)
        assert found.shape == (6, 3, 4)
        for k, label in enumerate("abc"):
            whole = x[:, by == label].astype(np.float64)
            assert same(found[:, k], quiet(varstudy.var, whole, axis=1, correction=1))
    assert same(varstudy.mean(x, axis=-2, by=by), varstudy.mean(x, axis=1, by=by))
    assert same(varstudy.std(x[:5], axis=(0,), by=by)[2], varstudy.std(x[[3]], axis=0))
    mean, variance = varstudy.mean_var(x, axis=1, by=by)
    assert same(mean, varstudy.mean(x, axis=1, by=by))
    assert same(variance, varstudy.var(x, axis=1, by=by))
    assert varstudy.var(np.zeros((3, 0)), axis=0, by=[1, 2, 1]).shape == (2, 0)
    assert varstudy.var(np.zeros((0, 4), dtype=np.float32), axis=0, by=[]).shape == (0, 4)


def test_masks_weights_and_nan() -> None:
    g = np.random.default_rng(4)
    x, by = g.normal(size=30), g.integers(0, 4, 30)
    x[by == 2], where, often = np.nan, g.random(30) < 0.7, g.integers(0, 3, 30)
    for function in FUNCTIONS:
        for policy in ("propagate", "omit"):
            found = quiet(function, x, by=by, where=where, weights=often, nan_policy=policy)
            expected = [
                quiet(function, x[by == k], where=where[by == k], weights=often[by == k], nan_policy=policy)
                for k in range(4)
            ]
            assert same(found, expected)
    with pytest.raises(ValueError, match="contains nan"):
        varstudy.var(x, by=by, nan_policy="raise")
    masked = np.ma.array(x, mask=by == 3)
    found = varstudy.var(masked, by=by)
    assert found.mask.tolist() == [False, False, False, True]
    assert same(found[0], varstudy.var(x[by == 0]))
    welford = varstudy.var(x[by != 2], by=by[by != 2], method="welford")
    assert same(welford, one_by_one(varstudy.var, x[by != 2], by[by != 2], method="welford"))
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        varstudy.var([1.0, 2.0], by=["a", "b"], correction=1)


@pytest.mark.parametrize(
    "by",
    [
        [None, "a", "b", "a"],
        ["a", float("nan"), "b", "a"],
        np.array([np.nan, 1.0, 2.0, 1.0]),
        np.array(["NaT", "2020", "2021", "2020"], dtype="M8[ns]"),
        pd.Series([pd.NA, 1, 2, 1], dtype="Int64"),
        pd.Series(["a", None, "b", "a"]),
        pd.Categorical(["x", "a", "x", None], categories=["x", "unused", "a"]),
    ],
    ids=lambda by: f"{type(by).__name__} {getattr(by, 'dtype', '')}",
)
def test_missing_labels_take_no_part_as_in_pandas(by: Any) -> None:
    x = pd.Series([1.0, 2.0, 4.0, 8.0])
    expected = x.groupby(by, observed=True).mean()
    pd.testing.assert_series_equal(varstudy.mean(x, by=by), expected)
    assert same(varstudy.mean(x.to_numpy(), by=by), expected.to_numpy())


@pytest.mark.parametrize(
    "by", [["b", "a", "b", "a"], pd.Series(list("baba"), name="key"), pd.Categorical(list("baba"))]
)
def test_pandas_in_pandas_out(by: Any) -> None:
    x = pd.Series([2**60, 2**60 + 3, 2**60 + 1, 2**60 + 9], name="x")
    found = varstudy.var(x, by=by, ddof=1)
    pd.testing.assert_series_equal(found, x.groupby(by, observed=True).agg(lambda s: varstudy.var(s, ddof=1)))
    frame = pd.DataFrame({"i": x, "f": np.float32([1, 2, 3, 9]), "m": pd.array([1, None, 3, 4], dtype="Int64")})
    for function in FUNCTIONS:
        grouped = function(frame, axis=0, by=by, nan_policy="omit")
        expected = frame.groupby(by, observed=True).agg(function, nan_policy="omit")
        pd.testing.assert_frame_equal(grouped, expected, check_dtype=False)
        assert grouped.dtypes.astype(str).tolist() == ["float64", "float32", "float64"]
        assert grouped.columns.equals(frame.columns)
    often = np.array([1, 2, 0, 1])
    weighed = varstudy.var(frame[["i", "f"]], axis=0, by=by, weights=often, where=np.ones((4, 2), dtype=bool))
    pd.testing.assert_frame_equal(
        weighed,
        varstudy.var(frame[["i", "f"]].loc[[0, 1, 1, 3]], axis=0, by=np.array(list("baaa"))),
        check_names=False,
        check_index_type=False,
        check_categorical=False,
    )


@pytest.mark.peers
def test_columns_of_other_libraries() -> None:
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    values, labels = [2**60, 2**60 + 2, 5, 2**60 + 4], [2**60, 2**60, None, 2**60 + 1]
    expected = varstudy.mean(np.array(values)[[0, 1, 3]], by=[0, 0, 1])
    assert same(varstudy.mean(pl.Series(values), by=pl.Series(labels)), expected)
    assert same(varstudy.mean(pa.array(values), by=pa.chunked_array([pa.array(labels)])), expected)
    assert same(varstudy.mean(pl.Series(values), by=pl.Series(["a", "a", None, "b"])), expected)
    table = pl.DataFrame({"a": values, "b": [0.0, 1.0, 2.0, 3.0]})
    found = varstudy.mean(table, axis=0, by=labels)
    assert same(found, np.stack([expected, [0.5, 3.0]], axis=1))


@pytest.mark.parametrize(
    ("x", "options", "kind", "words"),
    [
        ([1.0, 2.0], {"by": [1]}, ValueError, "by has 1 label, and x has 2 values along the axis"),
        ([1.0, 2.0], {"by": "key"}, ValueError, r"by has the shape \(\): give one label for each value along the axis"),
        ([1.0, 2.0], {"by": [[1, 2]]}, ValueError, r"by has the shape \(1, 2\)"),
        ([[1.0], [2.0]], {"by": [1, 2]}, ValueError, "by takes one axis: give axis=0"),
        ([[1.0], [2.0]], {"by": [1, 2], "axis": (0, 1)}, ValueError, "by takes one axis"),
        ([[1.0], [2.0]], {"by": [1, 2], "axis": 2}, ValueError, "out of bounds"),
        ([1.0, 2.0], {"by": [1, 2], "keepdims": True}, ValueError, "keepdims is not taken with by"),
        ([1.0, 2.0], {"by": [1j, 2]}, TypeError, "by has the dtype complex128"),
        ([1.0, 2.0], {"by": [1, 2], "weights": [0.5, 0.5]}, TypeError, "give integers"),
        (5.0, {"by": [1]}, ValueError, "by takes one axis"),
    ],
)
def test_what_is_no_grouping(x: Any, options: dict[str, Any], kind: type, words: str) -> None:
    for function in FUNCTIONS:
        with pytest.raises(kind, match=words):
            function(x, **options)


@pytest.mark.peers
def test_tables_with_labels_of_their_own() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}, index=[5, 6])
    with pytest.raises(ValueError, match="by has another index than x"):
        varstudy.var(frame["a"], by=pd.Series([1, 2]))
    with pytest.raises(ValueError, match="by takes the rows of a table: give axis=0"):
        varstudy.var(frame, by=[1, 2], axis=1)
    with pytest.raises(ValueError, match="by takes the rows of a table: give axis=0"):
        varstudy.var(frame, by=[1, 2])
    assert varstudy.var(frame, axis=0, by=[1, 1]).loc[1].tolist() == [0.25, 0.25]
    da, xr = pytest.importorskip("dask.array"), pytest.importorskip("xarray")
    for array in (da.ones(2), xr.DataArray([1.0, 2.0])):
        with pytest.raises(TypeError, match="by is not taken with"):
            varstudy.var(array, by=[1, 2])


# --- our functions in pandas' own groupby ----------------------------------------------------------------------------


def frames() -> Any:
    return pd.DataFrame(
        {
            "key": list("abab"),
            "big": np.array([2**60, 2**60 + 1, 2**60 + 4, 2**60 + 9]),
            "far": [1e16, 1e8, 1e16 + 2, 1e8 + 1],
            "nan": [1.0, np.nan, 3.0, 5.0],
        }
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_in_groupby_agg_transform_and_apply(function: Any) -> None:
    frame = frames()
    parts = {label: frame[frame["key"] == label] for label in "ab"}
    for name in ("big", "far", "nan"):
        expected = [function(parts[label][name].to_numpy()) for label in "ab"]
        for found in (frame.groupby("key")[name].agg(function), frame.groupby("key")[name].apply(function)):
            assert found.index.tolist() == ["a", "b"]
            assert same(found.to_numpy(), expected)
        spread = frame.groupby("key")[name].transform(function)
        assert same(spread.to_numpy(), np.array(expected)[[0, 1, 0, 1]])
        assert same(function(frame[name], by=frame["key"]).to_numpy(), expected)
    found = frame.groupby("key").agg(function)
    assert found.columns.tolist() == ["big", "far", "nan"]
    for name in found:
        assert same(found[name].to_numpy(), [function(parts[label][name].to_numpy()) for label in "ab"])
    named = frame.groupby("key").agg(v=("big", function))
    assert same(named["v"].to_numpy(), found["big"].to_numpy())
    spread = frame.groupby("key").transform(function)
    assert same(spread["big"].to_numpy(), found["big"].to_numpy()[[0, 1, 0, 1]])
    by_frame = frame.groupby("key")[["big", "far"]].apply(lambda part: function(part, axis=0))
    assert same(by_frame["big"].to_numpy(), found["big"].to_numpy())
    omitted = frame.groupby("key")["nan"].agg(function, nan_policy="omit")
    assert omitted["b"] == function([5.0])


def test_all_functions_say_by() -> None:
    for function in (*FUNCTIONS, varstudy.mean_var):
        assert inspect.signature(function).parameters["by"].default is None
