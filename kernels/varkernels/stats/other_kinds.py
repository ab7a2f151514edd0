"""The answers for complex values, and for durations and dates: from exact sums of their parts, or of their integers."""

from __future__ import annotations

import math
from collections.abc import MutableSet
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exact.rounding_one import OVERFLOW, std_of, variance_of, whole_mean_of, whole_std_of
from ..formats import FLOAT32, FLOAT64, FORMATS, Format
from .arguments import Request, refuse_nan
from .inputs import Given, named_as_numpy, result_format, weights_of
from .sums import RowAnswers, reshaped, row_sums

__all__ = ["complex_format", "of_complex", "of_times"]

# The longest duration; the integer below its negative is NaT.
_LONGEST = 2**63 - 1


def _needs_exact(dtype: np.dtype[Any], request: Request) -> None:
    if request.method != "exact":
        raise ValueError(f"values of the dtype {dtype} need the method 'exact', not {request.method!r}")


def _parted(source: Given, missing: NDArray[np.bool_], often: NDArray[Any] | None, request: Request) -> Any:
    """The values that count, without missing ones that are left out; refused are those that must not be there."""
    where = source.where
    if request.refuse:
        counted = missing if where is None else missing & where
        if (counted if often is None else counted & (often != 0)).any():
            refuse_nan()
    if not request.omit or not missing.any():
        return where
    return ~missing if where is None else where & ~missing


def complex_format(dtype: np.dtype[Any], request: Request) -> Format:
    """The format of the parts of the answers."""
    part = np.empty(0, dtype).real.dtype
    wanted = named_as_numpy(request.dtype)
    mean = "mean" in request.wants
    if wanted is not None:
        try:
            number = np.dtype(wanted)
        except TypeError:
            number = np.dtype(object)
        if number.kind == "c" and mean:
            wanted = np.empty(0, number).real.dtype
        elif number not in (FLOAT32.dtype, FLOAT64.dtype) if mean else number.kind == "c":
            fit = "complex64 or complex128" if mean else ", ".join(FORMATS)
            raise TypeError(f"dtype={request.dtype!r} cannot hold the {request.wants[0]} of complex values: use {fit}")
        elif request.wants == ("mean",):
            raise TypeError(f"dtype={request.dtype!r} cannot hold a complex mean: use complex64 or complex128")
    return result_format(part, wanted)


def of_complex(
    source: Given, axes: tuple[int, ...], fmt: Format, request: Request, notes: MutableSet[str]
) -> RowAnswers:
    """The answers for complex values: both parts' variances added, and rounded once; the mean of each part."""
    array = source.array
    _needs_exact(array.dtype, request)
    often = weights_of(request.weights, array.shape, axes)
    with np.errstate(invalid="ignore"):  # a signalling NaN
        where = _parted(source, np.isnan(array), often, request)
    real, arrange = row_sums(array.real, where, axes, often)
    imag, _ = row_sums(array.imag, where, axes, often)
    answers: list[NDArray[Any]] = []
    for want in request.wants:
        if want == "mean":
            found = np.empty(len(real), dtype=np.result_type(fmt.dtype, np.complex64))
            found.real, found.imag = real.means(fmt, notes), imag.means(fmt, notes)
            found[np.isnan(found)] = complex(math.nan, math.nan)  # as numpy's quotient has it
            answers.append(found)
            continue
        of = variance_of if want == "var" else std_of
        each = [of(a, request.correction, fmt, notes, b) for a, b in zip(real, imag, strict=True)]
        answers.append(fmt.rounded(np.array(each, dtype=np.float64)))
    return answers, real.counts, arrange


def of_times(source: Given, axes: tuple[int, ...], request: Request, notes: MutableSet[str]) -> RowAnswers:
    """The answers for durations and dates, in their own unit: rounded to the nearest, to even."""
    array = source.array
    if "var" in request.wants:
        raise TypeError(
            f"x has the dtype {array.dtype}, whose variance has the unit squared, which no dtype has: use std, or "
            "x.astype(np.int64) for the number"
        )
    if request.dtype is not None:
        raise TypeError(f"dtype={request.dtype!r}: the answers for {array.dtype} have its own unit")
    _needs_exact(array.dtype, request)
    often = weights_of(request.weights, array.shape, axes)
    missing = np.isnat(array)
    where = _parted(source, missing, often, request)
    counted = missing if where is None else missing & where
    lost = (counted if often is None else counted & (often != 0)).any(axis=axes).reshape(-1)
    if missing.any():
        where = ~missing if where is None else where & ~missing
    sums, arrange = row_sums(array.view(np.dtype(array.dtype.byteorder + "i8")), where, axes, often)
    kept = tuple(n for a, n in enumerate(array.shape) if a not in axes)
    in_order = arrange(np.arange(len(sums)), kept).reshape(-1)
    answers: list[NDArray[Any]] = []
    for want in request.wants:
        found = np.empty(len(sums), dtype=np.int64)
        for r, k in enumerate(in_order.tolist()):
            value = None
            if not lost[r]:
                row = sums[k]
                value = whole_mean_of(row, notes) if want == "mean" else whole_std_of(row, request.correction, notes)
                if value is not None and value > _LONGEST:
                    notes.add(OVERFLOW)
                    value = None
            found[r] = -_LONGEST - 1 if value is None else value
        dtype = array.dtype.newbyteorder("=")
        answers.append(found.view(dtype if want == "mean" else dtype.str.replace("M8", "m8")))
    return answers, sums.counts[in_order], reshaped
