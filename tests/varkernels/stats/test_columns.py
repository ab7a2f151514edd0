"""Columns, tables and tensors of other libraries: every value counts as it is, and what is missing as NaN."""

from __future__ import annotations

import decimal
import importlib
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse

import varstudy
from varstudy import Moments

# In float64 these are neighbours or one number: nanoseconds since 1970, and numbers above 2^62.
LARGE = [1764446400000000000 + i for i in (0, 100, 200)]
HUGE = [2**62 + 1, 2**62 + 3, 2**62 + 5]


def polars(of: str) -> Any:
    """A function of polars, if that is installed; else its tests are skipped."""

    def made(values: Any) -> Any:
        library = pytest.importorskip("polars")
        return library.Series(values) if of == "Series" else library.DataFrame({"a": values, "b": values})

    return made


COLUMNS = {
    "pandas Int64": lambda values: pd.Series(values, dtype="Int64"),
    "pandas Index": lambda values: pd.Index(values, dtype="Int64"),
    "pandas array": lambda values: pd.array(values, dtype="Int64"),
    "pandas arrow": lambda values: pd.Series(values, dtype="int64[pyarrow]"),
    "pyarrow Array": lambda values: pa.array(values, type=pa.int64()),
    "pyarrow ChunkedArray": lambda values: pa.chunked_array([pa.array(values[:1], type=pa.int64()), values[1:]]),
    "polars Series": polars("Series"),
}
TABLES = {
    "pandas Int64": lambda values: pd.DataFrame({"a": pd.array(values, dtype="Int64"), "b": pd.array(values, "Int64")}),
    "pandas, mixed": lambda values: pd.DataFrame(
        {"a": pd.array(values, dtype="Int64"), "b": pd.array(values, "UInt64")}
    ),
    "pyarrow Table": lambda values: pa.table({"a": pa.array(values, pa.int64()), "b": pa.array(values, pa.uint64())}),
    "pyarrow RecordBatch": lambda values: pa.record_batch({"a": pa.array(values), "b": pa.array(values)}),
    "polars DataFrame": polars("DataFrame"),
}


def exact(values: list[int]) -> float:
    """The variance, rounded once."""
    mean = Fraction(sum(values), len(values))
    return float(sum(((v - mean) ** 2 for v in values), Fraction()) / len(values))


@pytest.mark.parametrize("values", [LARGE, HUGE], ids=["LARGE", "HUGE"])
@pytest.mark.parametrize("make", COLUMNS.values(), ids=COLUMNS)
def test_a_column_of_large_integers(make: Any, values: list[int]) -> None:
    column, holed = make(values), make([*values, None])
    assert varstudy.var(column) == exact(values)
    assert varstudy.var(holed, nan_policy="omit") == exact(values)
    assert varstudy.var(holed, nan_policy="omit", where=[False, True, True, True]) == exact(values[1:])
    assert np.isnan(varstudy.var(holed))
    with pytest.raises(ValueError, match="contains nan"):
        varstudy.mean(holed, nan_policy="raise")
    m = Moments(nan_policy="omit").update(column).update(holed)
    assert m == Moments(nan_policy="omit").update(np.array(values * 2))
    assert m.count == 6
    assert np.isnan(Moments().update(holed).mean)
    with pytest.raises(ValueError, match="contains nan"):
        Moments(nan_policy="raise").update(holed)
    features = Moments(axis=0, nan_policy="omit").update(holed)
    assert features.shape == ()
    assert features.variance() == exact(values)


@pytest.mark.parametrize("values", [LARGE, HUGE], ids=["LARGE", "HUGE"])
@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_a_table_of_large_integers(make: Any, values: list[int]) -> None:
    table, holed = make(values), make([*values, None])
    for found in (varstudy.var(table, axis=0), varstudy.var(holed, axis=0, nan_policy="omit")):
        assert found.tolist() == [exact(values)] * 2
    assert np.isnan(varstudy.var(holed, axis=0)).all()
    assert varstudy.var(holed, nan_policy="omit") == exact(values)
    assert varstudy.var(table, axis=1).tolist() == [0.0] * 3
    m = Moments(axis=0, nan_policy="omit").update(table).update(holed)
    assert m.variance().tolist() == [exact(values)] * 2
    assert m.count.tolist() == [6, 6]
    assert Moments(nan_policy="omit").update(holed) == Moments(nan_policy="omit").update(np.array(values * 2))
    with pytest.raises(ValueError, match="contains nan"):
        varstudy.var(holed, axis=0, nan_policy="raise")


def test_floats_and_bool_of_other_libraries() -> None:
    for x in (pa.array([1.0, None, 3.0], pa.float32()), pd.array([1.0, None, 3.0], dtype="Float32")):
        assert varstudy.var(x, nan_policy="omit") == 1.0
        assert varstudy.var(x, nan_policy="omit").dtype == np.float32
        assert np.isnan(varstudy.var(x))
    for x in (pa.array([True, None, False]), pd.array([True, None, False], dtype="boolean")):
        assert varstudy.mean(x, nan_policy="omit") == 0.5
    assert Moments().update(pa.chunked_array([], type=pa.int64())).count == 0
    assert varstudy.var(pd.RangeIndex(3)) == varstudy.var(np.arange(3))


def test_weights_of_a_table() -> None:
    frame = pd.DataFrame({"a": pd.array(HUGE, dtype="Int64"), "b": [1.0, 2.0, 4.0]})
    m = Moments(axis=0).update(frame, weights=[1, 0, 2])
    assert m.count.tolist() == [3, 3]
    assert m.variance()[0] == exact([HUGE[0], HUGE[2], HUGE[2]])
    assert Moments(axis=0).update(frame, weights=np.ones((3, 2), dtype=int)) == Moments(axis=0).update(frame)
    assert Moments(axis=1).update(frame).count.tolist() == [2, 2, 2]
    assert Moments("chan", axis=0).update(frame).count.tolist() == [3, 3]


def test_check_takes_columns() -> None:
    for x in (pa.array([1.0, 2.0, None]), pd.array([1, 2, None], dtype="Int64")):
        assert varstudy.check(x).answer == varstudy.check(np.array([1.0, 2.0, np.nan])).answer


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ((v for v in (1.0, 2.0)), r"^x is a generator: use list\(x\)"),
        (scipy.sparse.csr_matrix([[1.0, 0.0]]), r"sparse csr_matrix, .* use x\.toarray\(\)"),
        (scipy.sparse.coo_array([[1.0, 0.0]]), r"sparse coo_array"),
        ([decimal.Decimal("0.1")], r"holds Decimal: give np\.array\(x, dtype=np\.float64\)"),
        ([Fraction(1, 3), 1], r"holds Fraction and int"),
        ([2**70], r"dtype object, and holds int"),
        (["a"], r"dtype <U1, which has no"),
        (pa.array(["a"]), r"dtype string, which has no"),
        (pd.array(["a"], dtype="string"), r"dtype string, which has no"),
        (pa.array([None, decimal.Decimal(1)]), r"dtype decimal128"),
    ],
)
def test_what_has_no_moments_is_said(x: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        varstudy.var(x)
    if not hasattr(x, "send"):
        with pytest.raises(TypeError, match=words):
            Moments().update(x)


def test_a_lazy_frame_is_not_computed_silently() -> None:
    library = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"LazyFrame: use x\.collect\(\)"):
        varstudy.var(library.LazyFrame({"a": [1, 2]}))
    with pytest.raises(TypeError, match="which has no mean"):
        varstudy.var(library.Series(["a"]))


def test_words_are_no_numbers() -> None:
    for wrong in (True, np.True_, "1"):
        with pytest.raises(TypeError, match="correction="):
            varstudy.var([1.0, 2.0], correction=wrong)
        with pytest.raises(TypeError, match="correction="):
            varstudy.std([1.0, 2.0], ddof=wrong)
    with pytest.raises(TypeError, match="keepdims='no' must be True or False"):
        varstudy.var([1.0], keepdims="no")  # type: ignore[arg-type]


# torch ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch() -> Any:
    pytest.importorskip("torch")
    return importlib.import_module("torch")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_tensors_of_every_format(torch: Any, dtype: str) -> None:
    x = torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=getattr(torch, dtype))
    assert varstudy.var(x) == 7.1875
    assert varstudy.var(x).dtype == (ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype))
    for with_gradient in (torch.nn.Parameter(x), x.clone().requires_grad_()):
        assert varstudy.var(with_gradient) == 7.1875
    assert Moments().update(x).variance() == 7.1875
    assert varstudy.var(x, dtype=torch.float64).dtype == np.float64
    assert varstudy.var(x, dtype=torch.bfloat16).dtype == ml_dtypes.bfloat16
    with pytest.raises(TypeError, match=r"dtype=torch\.int8 cannot hold"):
        varstudy.var(x, dtype=torch.int8)
    assert varstudy.check(torch.ones(4, 8, dtype=x.dtype)).answer


def test_tensors_are_not_copied(torch: Any) -> None:
    from varkernels.stats.inputs import array_of  # noqa: PLC0415 - what the functions read

    x = torch.randn(2, 8, 4, 4).to(memory_format=torch.channels_last).bfloat16().requires_grad_()
    assert array_of(x).ctypes.data == x.data_ptr()
    want = varstudy.var(x.detach().float().numpy(), axis=(0, 2, 3), dtype=ml_dtypes.bfloat16)
    assert np.array_equal(varstudy.var(x, axis=(0, 2, 3)), want)


def test_tensors_without_moments(torch: Any) -> None:
    for x, words in (
        (torch.ones(2, 2).to_sparse(), r"sparse tensor: use x\.to_dense"),
        (torch.ones(2, device="meta"), r"on the device meta: use x\.cpu"),
        (torch.ones(2).to(torch.float8_e4m3fn), r"dtype torch\.float8_e4m3fn"),
    ):
        with pytest.raises(TypeError, match=words):
            varstudy.var(x)
