"""Labels of groups as numbers: 0, 1, 2, ... in the labels' sorted order, -1 where a label is missing."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import is_of

__all__ = ["numbered"]

Numbers = NDArray[np.int64]


def _by_pandas(labels: Any) -> tuple[Numbers, Any]:
    numbers, found = sys.modules["pandas"].factorize(labels, sort=True)
    return np.asarray(numbers, dtype=np.int64), found


def _integers(labels: NDArray[Any]) -> tuple[Numbers, NDArray[Any]] | None:
    """Integers that lie close together, without sorting them; None for others."""
    if labels.dtype.kind not in "iu" or not labels.size:
        return None
    low, high = int(labels.min()), int(labels.max())
    if high - low > 4 * len(labels) + 2**16:
        return None
    if labels.dtype.kind == "u":
        least = labels.dtype.type(low)
        from_low = (labels - least).astype(np.int64)
    else:
        from_low = labels.astype(np.int64) - low
    there = np.bincount(from_low) > 0
    found = np.flatnonzero(there)
    different = found.astype(labels.dtype) + least if labels.dtype.kind == "u" else (found + low).astype(labels.dtype)
    return (np.cumsum(there) - 1)[from_low], different


def _objects(labels: NDArray[Any]) -> tuple[Numbers, Any]:
    if "pandas" in sys.modules:
        return _by_pandas(labels)
    missing = np.array([each is None or (isinstance(each, float) and math.isnan(each)) for each in labels], dtype=bool)
    return _but(labels, missing)


def _but(labels: NDArray[Any], missing: NDArray[np.bool_]) -> tuple[Numbers, Any]:
    """The numbers of labels some of which are missing."""
    numbers = np.full(len(missing), -1, dtype=np.int64)
    present = labels[~missing] if len(labels) == len(missing) else labels
    numbers[~missing], found = _sorted(present)
    return numbers, found


def _sorted(labels: NDArray[Any]) -> tuple[Numbers, Any]:
    found = _integers(labels)
    if found is not None:
        return found
    different, numbers = np.unique(labels, return_inverse=True)
    return numbers, different


def numbered(by: Any) -> tuple[Numbers, Any]:
    """The number of each label, and the labels that there are, sorted.

    Parameters
    ----------
    by : one-dimensional: integers, strings, bool, dates, durations, floats, objects that sort; an array, a list, or a
        column of pandas (categories in their own order), polars or pyarrow.

    Raises
    ------
    TypeError
        The labels are complex, or do not sort.
    ValueError
        They have not one dimension.
    """
    if is_of(by, "polars", "Series"):
        return _but(by.drop_nulls().to_numpy(), by.is_null().to_numpy())
    if is_of(by, "pyarrow", "Array", "ChunkedArray"):
        missing = np.array(by.is_null().to_pylist(), dtype=bool)
        return _but(by.drop_null().to_numpy(**({} if hasattr(by, "chunks") else {"zero_copy_only": False})), missing)
    of_pandas = is_of(by, "pandas", "Series", "Index") or is_of(by, "pandas.api.extensions", "ExtensionArray")
    if of_pandas and not isinstance(by.dtype, np.dtype):
        return _by_pandas(by)
    labels = np.asarray(by)
    if labels.ndim != 1:
        raise ValueError(f"by has the shape {labels.shape}: give one label for each value along the axis")
    kind = labels.dtype.kind
    if kind == "U" and not isinstance(by, np.ndarray) and not all(isinstance(each, str) for each in by):
        labels = np.array(by, dtype=object)  # NaN next to strings is no label of its own
    if labels.dtype == object:
        return _objects(labels)
    if kind in "fmM":
        return _but(labels, np.isnan(labels) if kind == "f" else np.isnat(labels))
    if kind not in "biuSU":
        raise TypeError(f"by has the dtype {labels.dtype}: give integers, strings, bool, floats or dates")
    return _sorted(labels)
