"""Arrays and columns of other libraries, as arrays of numpy that hold every value: none is imported for the question.

numpy makes float64 of integers with missing values, which rounds those above 2^53. So the values come as they are, and
what is missing as a mask.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

__all__ = ["Column", "column_of", "columns_of", "from_torch", "is_of", "labels_of"]


class Column(NamedTuple):
    """Values, and which of them are missing and only stand for something; None: none."""

    values: NDArray[Any]
    missing: NDArray[np.bool_] | None

    def with_nan(self) -> NDArray[Any]:
        """The values with NaN where they are missing: integers as float64."""
        if self.missing is None:
            return self.values
        found: NDArray[Any] = self.values.astype(self.values.dtype if self.values.dtype.kind == "f" else np.float64)
        found[self.missing] = np.nan
        return found


def _without_moments(dtype: object) -> TypeError:
    return TypeError(f"x has the dtype {dtype}, which has no mean and variance here: give numbers")


def is_of(x: Any, module: str, *names: str) -> bool:
    """Whether `x` is of one of some classes of a module; what is not loaded is never imported for the question."""
    found: Any = sys.modules.get(module)
    return found is not None and isinstance(x, tuple(getattr(found, name) for name in names))


def _of_pandas(x: Any) -> Column:
    """A Series, an Index or an extension array."""
    dtype = x.dtype
    if isinstance(dtype, np.dtype):
        return Column(np.asarray(x), None)
    inner = getattr(dtype, "numpy_dtype", None)
    if not isinstance(inner, np.dtype) or inner.kind not in "biuf":
        raise _without_moments(dtype)
    missing = np.asarray(x.isna(), dtype=bool)
    if not missing.any():
        return Column(x.to_numpy(dtype=inner), None)
    return Column(x.to_numpy(dtype=inner, na_value=inner.type(0)), missing)


def _of_polars(x: Any) -> Column:
    numbers = x.dtype.is_integer() or x.dtype.is_float()
    if str(x.dtype).startswith("Duration"):
        return Column(x.to_numpy(), None)  # null as NaT
    if not numbers and str(x.dtype) != "Boolean":
        raise _without_moments(x.dtype)
    if not x.null_count():
        return Column(x.to_numpy(), None)
    return Column(x.fill_null(0 if numbers else False).to_numpy(), x.is_null().to_numpy())


def _of_arrow(x: Any) -> Column:
    """An Array or a ChunkedArray."""
    arrow = sys.modules["pyarrow"]
    kinds = arrow.types
    integer, boolean = kinds.is_integer(x.type), kinds.is_boolean(x.type)
    if not (integer or boolean or kinds.is_floating(x.type) or kinds.is_duration(x.type)):
        raise _without_moments(x.type)
    whole = x.combine_chunks() if isinstance(x, arrow.ChunkedArray) else x
    if isinstance(whole, arrow.ChunkedArray):  # of no chunks, in some versions
        whole = arrow.concat_arrays(whole.chunks)
    if not whole.null_count or kinds.is_duration(x.type):  # null as NaT
        return Column(whole.to_numpy(zero_copy_only=False), None)
    missing = whole.is_null().to_numpy(zero_copy_only=False)
    if integer or boolean:
        whole = whole.fill_null(0 if integer else False)
    return Column(whole.to_numpy(zero_copy_only=False), missing)


def column_of(x: Any) -> Column | None:
    """A column of pandas, polars or pyarrow; None for anything else.

    Raises
    ------
    TypeError
        Its dtype has no moments.
    """
    if is_of(x, "pandas", "Series", "Index") or is_of(x, "pandas.api.extensions", "ExtensionArray"):
        return _of_pandas(x)
    if is_of(x, "polars", "Series"):
        return _of_polars(x)
    if is_of(x, "pyarrow", "Array", "ChunkedArray"):
        return _of_arrow(x)
    return None


def columns_of(x: Any) -> list[Column] | None:
    """The columns of a DataFrame of pandas or polars, or of a table of pyarrow; None for anything else.

    Raises
    ------
    TypeError
        The dtype of one has no moments.
    """
    if is_of(x, "pandas", "DataFrame"):
        return [_of_pandas(x.iloc[:, j]) for j in range(x.shape[1])]
    if is_of(x, "polars", "DataFrame"):
        return [_of_polars(each) for each in x.get_columns()]
    if is_of(x, "pyarrow", "Table", "RecordBatch"):
        return [_of_arrow(each) for each in x.columns]
    return None


def labels_of(x: Any, axis: int) -> Any:
    """The labels that are left of a pandas DataFrame when an axis is reduced; None of another table, which has none."""
    if not is_of(x, "pandas", "DataFrame"):
        return None
    return x.columns if axis == 0 else x.index


def from_torch(x: Any) -> NDArray[Any] | None:
    """A tensor's values, not copied, whether it requires a gradient or not; None for anything else.

    Raises
    ------
    TypeError
        The tensor is on another device, sparse, or of a dtype that numpy has not.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None or not isinstance(x, torch.Tensor):
        return None
    if x.device.type != "cpu":
        raise TypeError(f"x is on the device {x.device}: use x.cpu()")
    if x.layout != torch.strided:
        raise TypeError("x is a sparse tensor: use x.to_dense()")
    values = x.detach().resolve_neg().resolve_conj()
    if values.dtype == torch.bfloat16:
        found: NDArray[Any] = values.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        return found
    try:
        found = values.numpy()
    except TypeError:
        raise _without_moments(x.dtype) from None
    return found
