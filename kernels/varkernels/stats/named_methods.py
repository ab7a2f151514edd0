"""The answers of an algorithm of the study by its name, with numpy's warnings of infinities and of an overflow."""

from __future__ import annotations

import math
from collections.abc import MutableSet
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dispatch import moments
from ..exact.rounding_one import DEGREES, EMPTY, OPPOSITE, OVERFLOW, SUBTRACT, correction_float
from ..formats import FLOAT32, FLOAT64, Format
from ..registry import get
from .arguments import Request, refuse_nan
from .axes import Plan
from .inputs import FLOATS, Given
from .sums import Arrange, RowAnswers, reshaped

__all__ = ["by_name", "undefined"]

# More values than an array can have.
_MANY = 2**62


def _accumulator(storage: Format, fmt: Format) -> Format:
    """What a named algorithm computes in: the values' own format or a wider dtype=."""
    return fmt if fmt in (FLOAT32, FLOAT64) and fmt.precision > storage.precision else storage


def undefined(counts: NDArray[np.int64], correction: tuple[int, int]) -> NDArray[np.bool_]:
    """Where no value counts, or count <= correction: by Python's integers, since count times a denominator is large."""
    found: NDArray[np.bool_] = counts <= max(0, min(correction[0] // correction[1], _MANY))
    return found


def _warned(
    array: NDArray[Any],
    where: NDArray[np.bool_] | None,
    axes: tuple[int, ...],
    answers: dict[str, NDArray[Any]],
    defined: NDArray[np.bool_],
    notes: MutableSet[str],
) -> None:
    """Note why defined answers of an algorithm are not finite: values that are not, or an overflow."""
    with np.errstate(all="ignore"):
        lost = sum(~np.isfinite(found[defined]) for found in answers.values()) > 0
        if not np.any(lost):
            return
        counted: Any = True if where is None else where
        nan, above, below = (
            (each & counted).any(axis=axes) for each in (np.isnan(array), array == np.inf, array == -np.inf)
        )
    if int(np.sum(lost)) > int(np.sum(nan | above | below)):
        notes.add(OVERFLOW)
    if "mean" in answers and (above & below & ~nan).any():
        notes.add(OPPOSITE)
    if set(answers) - {"mean"} and ((above | below) & ~nan).any():
        notes.add(SUBTRACT)


def by_name(source: Given, axes: tuple[int, ...], fmt: Format, request: Request, notes: MutableSet[str]) -> RowAnswers:
    """The answers of an algorithm of the study, its values in the array's order."""
    algorithm = get(request.method)
    array, where = source.array, source.where
    if array.dtype.kind in "biu":
        array = array.astype(np.float64)
    elif not (array.dtype.isnative and array.flags.aligned):
        array = array.astype(array.dtype.newbyteorder("="))
    storage = FLOATS[array.dtype]
    accumulator = _accumulator(storage, fmt)
    kept = [a for a in range(array.ndim) if a not in axes]
    rows = math.prod(array.shape[a] for a in kept)
    if request.refuse or request.omit:
        with np.errstate(invalid="ignore"):  # a signalling NaN
            nan = np.isnan(array)
        if request.refuse and (nan if where is None else nan & where).any():
            refuse_nan()
        if request.omit and nan.any():
            where = ~nan if where is None else where & ~nan
    plan = Plan([array], axes, ordered=True) if array.size and where is None else None
    arrange: Arrange = reshaped
    if plan is not None and plan.pieces == 1:
        parts = [moments(view, algorithm, accumulator) for part in plan for (view,) in part]
        arrange = plan.arranged
    else:
        flat = array.transpose([*kept, *axes]).reshape(rows, math.prod(array.shape[a] for a in axes))
        if where is None:
            parts = [moments(flat[np.newaxis], algorithm, accumulator)]
        else:
            masks = where.transpose([*kept, *axes]).reshape(flat.shape)
            parts = [
                moments(row[mask][np.newaxis, np.newaxis], algorithm, accumulator)
                for row, mask in zip(flat, masks, strict=True)
            ]
    count = np.concatenate([part.count for part in parts]) if parts else np.zeros(0, dtype=np.int64)
    answers = []
    for want in request.wants:
        if want == "mean":
            values = [part.mean for part in parts]
            if not count.all():
                notes.add(EMPTY)
        else:
            values = [part.variance(correction_float(request.correction)) for part in parts]
            if undefined(count, request.correction).any():
                notes.add(DEGREES)
        found = np.concatenate(values).astype(np.float64) if values else np.zeros(0)
        if want == "std":
            with np.errstate(all="ignore"):  # rounded to the accumulator's format, as a root in it would be
                found = accumulator.rounded(np.sqrt(found)).astype(np.float64)
        answers.append(fmt.rounded(found))
    _warned(
        array,
        where,
        axes,
        dict(zip(request.wants, answers, strict=True)),
        ~undefined(count, request.correction),
        notes,
    )
    return answers, count, arrange
