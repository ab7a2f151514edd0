"""The reduction behind var, std, mean and mean_var: arguments checked, rows summed, answers in their shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, MutableSet
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..certified.first import HAS_NAN
from ..dispatch import moments
from ..exact.rounding_one import (
    DEGREES,
    EMPTY,
    OPPOSITE,
    OVERFLOW,
    SUBTRACT,
    correction_float,
    correction_ratio,
    std_of,
    variance_of,
    whole_mean_of,
    whole_std_of,
)
from ..exact.table import SumTable
from ..formats import FLOAT32, FLOAT64, FORMATS, Format
from ..registry import get
from .axes import Plan, normalized
from .certain import asked_of, certified
from .inputs import FLOATS, Given, named_as_numpy, result_format, weights_of
from .sums import row_sums

__all__ = ["NAN_POLICIES", "NOT_GIVEN", "NO_CORRECTION", "Request", "answer", "from_sums", "refuse_nan"]

# The default of `correction`: not given, which differs from a zero that was given; it prints as 0.0.
NOT_GIVEN = float("0")
NO_CORRECTION = (0, 1)
# More values than an array can have.
_MANY = 2**62
# The longest duration; the integer below its negative is NaT.
_LONGEST = 2**63 - 1
NAN_POLICIES = ("propagate", "raise", "omit")


class Request:
    """The arguments other than x, checked.

    wants : some of "mean", "var", "std". correction : numerator and denominator.
    """

    def __init__(
        self,
        wants: tuple[str, ...],
        axis: Any,
        correction: Any,
        ddof: Any,
        keepdims: bool,
        dtype: Any,
        method: str,
        where: ArrayLike,
        nan_policy: str,
        weights: ArrayLike | None,
    ) -> None:
        if ddof is not None:
            if correction is NOT_GIVEN:
                correction = ddof
            elif ddof != 0:
                raise ValueError("ddof and correction can't be provided simultaneously.")
        if nan_policy not in NAN_POLICIES:
            raise ValueError(f"nan_policy={nan_policy!r} must be one of {', '.join(map(repr, NAN_POLICIES))}")
        if not isinstance(method, str):
            raise TypeError(f"method={method!r} is no name: use 'exact' or another algorithm's name")
        if not isinstance(keepdims, (bool, np.bool_, int)):
            raise TypeError(f"keepdims={keepdims!r} must be True or False")
        if weights is not None and method != "exact":
            raise ValueError(f"weights need the method 'exact', not {method!r}")
        self.wants = wants
        self.axis = axis
        self.correction = NO_CORRECTION if correction is NOT_GIVEN else correction_ratio(correction)
        self.keepdims = bool(keepdims)
        self.dtype = dtype
        self.method = method
        self.where = where
        self.weights = weights
        self.omit = nan_policy == "omit"
        self.refuse = nan_policy == "raise"


def refuse_nan() -> None:
    raise ValueError("The input contains nan values")


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


# From an answer a row to an array of a shape; and the answers of all rows, the rows' counts (where someone asks
# for them) and how they are arranged.
Arrange = Callable[[NDArray[Any], tuple[int, ...]], NDArray[Any]]
Rows = tuple[list[NDArray[Any]], "NDArray[np.int64] | None", Arrange]


def _reshaped(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    return values.reshape(shape)


def _exactly(source: Given, axes: tuple[int, ...], fmt: Format, request: Request, notes: MutableSet[str]) -> Rows:
    array = source.array
    often = weights_of(request.weights, array.shape, axes)
    alone = source.where is often is None and array.size and math.prod(array.shape[a] for a in axes) == 1
    if alone and _single(array, fmt, request):
        answers = _of_singles(array, fmt, request, notes)
        return answers, np.ones(array.shape, dtype=np.int64), _reshaped
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


def _accumulator(storage: Format, fmt: Format) -> Format:
    """What a named algorithm computes in: the values' own format or a wider dtype=."""
    return fmt if fmt in (FLOAT32, FLOAT64) and fmt.precision > storage.precision else storage


def _undefined(counts: NDArray[np.int64], correction: tuple[int, int]) -> NDArray[np.bool_]:
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


def _by_name(source: Given, axes: tuple[int, ...], fmt: Format, request: Request, notes: MutableSet[str]) -> Rows:
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
    arrange: Arrange = _reshaped
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
            if _undefined(count, request.correction).any():
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
        ~_undefined(count, request.correction),
        notes,
    )
    return answers, count, arrange


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


def _complex_format(dtype: np.dtype[Any], request: Request) -> Format:
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


def _of_complex(source: Given, axes: tuple[int, ...], fmt: Format, request: Request, notes: MutableSet[str]) -> Rows:
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


def _of_times(source: Given, axes: tuple[int, ...], request: Request, notes: MutableSet[str]) -> Rows:
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
    return answers, sums.counts[in_order], _reshaped


def answer(source: Given, request: Request, notes: MutableSet[str], fmt: Format | None = None) -> list[Any]:
    """The wanted answers for an input, in their shapes; a masked array's answers are masked where undefined."""
    array = source.array
    axes = normalized(request.axis, array.ndim)
    kind = array.dtype.kind
    if kind == "c":
        fmt = _complex_format(array.dtype, request)
    elif kind not in "mM":
        fmt = fmt or result_format(array.dtype, request.dtype)
    shape = tuple(1 if a in axes else n for a, n in enumerate(array.shape) if request.keepdims or a not in axes)
    if fmt is None:
        raw, counts, arrange = _of_times(source, axes, request, notes)
    else:
        by = _of_complex if kind == "c" else _exactly if request.method == "exact" else _by_name
        raw, counts, arrange = by(source, axes, fmt, request, notes)
    found: list[Any] = [arrange(values, shape) for values in raw]
    if source.masked and counts is not None:
        counts = arrange(counts, shape)
        for i, want in enumerate(request.wants):
            undefined = counts == 0 if want == "mean" else _undefined(counts, request.correction)
            if shape:
                found[i] = np.ma.masked_array(found[i], mask=undefined)
            elif undefined:
                found[i] = np.ma.masked
        notes -= {DEGREES, EMPTY}
    return [each if shape or each is np.ma.masked else each[()] for each in found]
