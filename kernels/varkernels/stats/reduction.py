"""The reduction behind var, std, mean and mean_var: rows summed, answers in their shapes."""

from __future__ import annotations

import math
from collections.abc import MutableSet
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..certified.first import HAS_NAN
from ..exact.rounding_one import DEGREES, EMPTY, SUBTRACT
from ..exact.table import SumTable
from ..formats import FLOAT32, FLOAT64, Format
from .arguments import Request, refuse_nan
from .axes import normalized
from .certain import asked_of, certified
from .inputs import FLOATS, Given, result_format, weights_of
from .named_methods import by_name, undefined
from .other_kinds import complex_format, of_complex, of_times
from .sums import RowAnswers, reshaped, row_sums

__all__ = ["answer", "from_sums"]


def from_sums(sums: SumTable, fmt: Format, request: Request, notes: MutableSet[str]) -> list[NDArray[Any]]:
    """The wanted answers of rows whose exact sums are known."""
    if request.refuse and sums.special[:, 0].any():
        refuse_nan()
    if request.omit:
        sums = sums.without_nan()
    answers = []
    for want in request.wants:
        if want == "mean":
            answers.append(sums.means(fmt, notes))
        else:
            of = sums.variances if want == "var" else sums.stds
            answers.append(of(request.correction, fmt, notes))
    return answers


def _of_singles(array: NDArray[Any], fmt: Format, request: Request, notes: MutableSet[str]) -> list[NDArray[Any]]:
    """The answers where each value is a row of its own: itself, and no deviation."""
    numerator, denominator = request.correction
    with np.errstate(all="ignore"):
        values = array.astype(fmt.dtype, copy=False)
        finite = np.isfinite(values)
        answers = []
        for want in request.wants:
            if want == "mean":
                answers.append(values + fmt.dtype.type(0))  # no negative zero, as from longer rows
                continue
            if numerator >= denominator:
                notes.add(DEGREES)
                answers.append(np.full_like(values, np.nan, order="C"))
                continue
            if np.isinf(values).any():
                notes.add(SUBTRACT)
            answers.append(np.where(finite, fmt.dtype.type(0), fmt.dtype.type(np.nan)))
    return answers


def _single(array: NDArray[Any], fmt: Format, request: Request) -> bool:
    """Whether values can be their own means: the result's format holds them, or one rounding does it."""
    if request.omit or request.refuse:
        return False
    source = FLOATS.get(array.dtype.newbyteorder("=")) if array.dtype.kind not in "biu" else None
    if source is None:
        return fmt == FLOAT64
    return fmt in (source, FLOAT64) or (fmt == FLOAT32 and source != FLOAT64)


def _exactly(source: Given, axes: tuple[int, ...], fmt: Format, request: Request, notes: MutableSet[str]) -> RowAnswers:
    array = source.array
    often = weights_of(request.weights, array.shape, axes)
    alone = source.where is often is None and array.size and math.prod(array.shape[a] for a in axes) == 1
    if alone and _single(array, fmt, request):
        answers = _of_singles(array, fmt, request, notes)
        return answers, np.ones(array.shape, dtype=np.int64), reshaped
    asked = asked_of(request.wants, request.correction, fmt.name, request.omit)
    certain = None if often is not None else certified(array, source.where, axes, asked, notes)
    if certain is not None:
        answers, counts, arrange = certain
        if HAS_NAN in notes and request.refuse:
            refuse_nan()
        if source.masked and counts is None and request.omit:
            certain = None
        elif source.masked and counts is None:
            counts = np.full(len(answers[0]), math.prod(array.shape[a] for a in axes))
    if certain is not None:
        return answers, counts, arrange
    sums, arrange = row_sums(array, source.where, axes, often)
    answers = from_sums(sums, fmt, request, notes)
    if not source.masked:
        return answers, None, arrange
    return answers, sums.counts - sums.special[:, 0] * request.omit, arrange


def answer(source: Given, request: Request, notes: MutableSet[str], fmt: Format | None = None) -> list[Any]:
    """The wanted answers for an input, in their shapes; a masked array's answers are masked where undefined."""
    array = source.array
    axes = normalized(request.axis, array.ndim)
    kind = array.dtype.kind
    if kind == "c":
        fmt = complex_format(array.dtype, request)
    elif kind not in "mM":
        fmt = fmt or result_format(array.dtype, request.dtype)
    shape = tuple(1 if a in axes else n for a, n in enumerate(array.shape) if request.keepdims or a not in axes)
    if fmt is None:
        raw, counts, arrange = of_times(source, axes, request, notes)
    else:
        by = of_complex if kind == "c" else _exactly if request.method == "exact" else by_name
        raw, counts, arrange = by(source, axes, fmt, request, notes)
    found: list[Any] = [arrange(values, shape) for values in raw]
    if source.masked and counts is not None:
        counts = arrange(counts, shape)
        for i, want in enumerate(request.wants):
            lost = counts == 0 if want == "mean" else undefined(counts, request.correction)
            if shape:
                found[i] = np.ma.masked_array(found[i], mask=lost)
            elif lost:
                found[i] = np.ma.masked
        notes -= {DEGREES, EMPTY}
    return [each if shape or each is np.ma.masked else each[()] for each in found]
