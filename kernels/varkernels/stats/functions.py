"""var, std, mean and mean_var: numpy's words and the array API standard's answers, correctly rounded.

The answer is the exact value of the data as stored, rounded once: whatever the order of the elements, their
layout, and the size of their mean. What is not finite, empty or out of range is answered as numpy answers it,
with numpy's warnings in numpy's words, except that the array API standard's NaN takes the place of numpy's inf
where N <= correction.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, MutableSet
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arithmetic import default_arithmetic
from ..cuda.detecting import lies_on_gpu
from ..exact.rounding_one import DEGREES, EMPTY, OPPOSITE, OVERFLOW, SUBTRACT
from ..formats import FLOAT64
from ..threads import WORTHWHILE
from .arguments import NOT_GIVEN, UNNAMED, Request
from .certain import plain_call, small_integers
from .groups import answer_groups
from .inputs import given
from .lazy import elsewhere
from .on_gpu import answer_on_gpu
from .reduction import answer
from .sums import PIECE
from .tables import answer_table

__all__ = ["mean", "mean_var", "std", "var"]

# Each warning's errstate, None for those that numpy always gives; in numpy's order.
_ERRSTATE: dict[str, str | None] = {
    DEGREES: None,
    EMPTY: None,
    OPPOSITE: "invalid",
    SUBTRACT: "invalid",
    OVERFLOW: "over",
}


def _tell(notes: Iterable[str]) -> None:
    """Warn the public functions' caller, as numpy.errstate has it."""
    settings: dict[str, Any] = dict(np.geterr())
    for text in (text for text in _ERRSTATE if text in notes):
        kind = _ERRSTATE[text]
        mode = settings[kind] if kind else "warn"
        if mode == "raise":
            raise FloatingPointError(text)
        if mode != "ignore":
            warnings.warn(text, RuntimeWarning, stacklevel=4)


def _reduced(
    wants: tuple[str, ...],
    x: Any,
    axis: Any,
    correction: Any,
    ddof: Any,
    keepdims: bool,
    dtype: Any,
    method: str,
    where: Any,
    nan_policy: str,
    weights: Any,
    by: Any,
) -> list[Any]:
    """The wanted answers and their warnings, for the public functions; a plain array takes a short way."""
    notes: set[str] = set()
    found = None
    if method == "exact" and dtype is ddof is weights is by is None and not keepdims and nan_policy == "propagate":
        found = _quickly(wants, x, axis, correction, where, notes)
    if found is None:
        found = _generally(
            wants, x, axis, correction, ddof, keepdims, dtype, method, where, nan_policy, weights, by, notes
        )
    if notes:
        _tell(notes)
    return found


def _generally(
    wants: tuple[str, ...],
    x: Any,
    axis: Any,
    correction: Any,
    ddof: Any,
    keepdims: bool,
    dtype: Any,
    method: str,
    where: Any,
    nan_policy: str,
    weights: Any,
    by: Any,
    notes: set[str],
) -> list[Any]:
    """The wanted answers for whatever the functions take; what to warn of joins the notes."""
    request = Request(wants, axis, correction, ddof, keepdims, dtype, method, where, nan_policy, weights)
    found = None
    if type(x) is not np.ndarray and lies_on_gpu(x):
        return answer_on_gpu(x, request, by, notes)
    if by is None and type(x) is not np.ndarray:

        def one(want: str, part: Any, axis: Any = None, keepdims: bool = False) -> Any:
            return _reduced(
                (want,), part, axis, correction, ddof, keepdims, dtype, method, where, nan_policy, weights, None
            )[0]

        found = elsewhere(one, wants, x, request)
        if found is not None:
            return found
    with default_arithmetic():
        if by is not None:
            found = answer_groups(x, by, request, notes)
        elif type(x) is not np.ndarray:
            found = answer_table(x, request, notes)
        return answer(given(x, where), request, notes) if found is None else found


def _quickly(
    wants: tuple[str, ...], x: Any, axis: Any, correction: Any, where: Any, notes: MutableSet[str]
) -> list[Any] | None:
    """The answers of a plain array in one piece over one axis or all, or of a small one under a mask of its shape; None
    where the general way has to decide."""
    if type(x) is not np.ndarray:
        if type(x) is not list and type(x) is not tuple:
            return None
        x = np.asarray(x)
    size = x.size
    if not 0 < size < WORTHWHILE or not x.flags.c_contiguous or type(correction) not in _PLAIN:
        return None
    call = plain_call(wants, x.dtype, correction)
    if call is None:
        x = small_integers(x)
        call = plain_call(wants, FLOAT64.dtype, correction)
        if x is None or call is None:
            return None
    if axis is not None:
        if type(axis) is not int or not -x.ndim <= axis < x.ndim:
            return None
        axis %= x.ndim
    if where is not True:
        if type(where) is not np.ndarray or where.dtype != np.bool_ or where.shape != x.shape or size > PIECE:
            return None
        return call.masked(x, where, axis, notes)
    if axis is None or x.ndim == 1:
        if len(wants) > 1:
            found = call.along(x.reshape(-1), 0, notes)
            return None if found is None else [each[()] for each in found]
        value = call.scalar(x if x.ndim == 1 else x.reshape(-1))
        return None if value is None else [value]
    return call.along(x, axis, notes)


_PLAIN = (int, float)


def var(
    x: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    correction: float = NOT_GIVEN,
    keepdims: bool = False,
    dtype: Any = None,
    method: str = UNNAMED,
    ddof: float | None = None,
    where: ArrayLike | bool = True,
    nan_policy: str = "propagate",
    weights: ArrayLike | None = None,
    by: Any = None,
) -> Any:
    """The variance, sum (x - mean)^2 / (N - correction), correctly rounded.

    Parameters
    ----------
    x : an array of any shape, strides and byte order, of float16, bfloat16, float32, float64, integers or bool;
        a scalar or nested list; anything with `__array__` or `__dlpack__`; a tensor of torch; an array on a GPU, see
        the notes; a column or a table of pandas, polars or pyarrow, whose missing values count as NaN; a masked array;
        an array of Dask, or a DataFrame of it, which stay lazy; a DataArray of xarray, which keeps its labels. The
        method
        ``exact`` copies nothing but small pieces of what it must convert, rows that its first pass leaves
        undecided, and small masks; the others copy integers, values under a mask, and strides that no view has.
        Complex values, by ``exact`` alone: the variance is that of the real plus that of the imaginary part. Durations
        and dates (timedelta64, datetime64), too: `mean` and `std` in their own unit, NaT as NaN.
    axis : the axis or axes to reduce; None for all of them, () for none.
    correction : subtracted from N: 0 for the population variance, 1 for Bessel's correction, or any other
        finite real number, taken as exactly what it is.
    keepdims : keep the reduced axes with length one.
    dtype : the dtype of the result, one of the four floating-point ones; x's own by default, float64 for
        integers and bool. With the method ``exact`` the exact value of the data as they are is rounded once to
        it: the data are not converted first. Other methods compute in it if it is wider than x's dtype. The mean of
        complex values takes complex64 or complex128.
    method : ``exact``: the exact value, rounded once, to nearest even. Or any other name from
        `varstudy.algorithms()`: that algorithm, every operation in x's own format (in a wider dtype where given);
        integers in float64; what it answers is what it answers, for constants too.
    ddof : another word for correction.
    where : bool, broadcast to x: the values that count.
    nan_policy : ``propagate`` (a NaN makes the result NaN), ``omit`` (NaN values do not count) or ``raise``.
    weights : integers >= 0, how often each value is there, and N is their sum: of a shape that broadcasts to x's, or
        one for each place of the one axis. The method is ``exact``.
    by : labels, one for each value along the one axis: each group of equal labels has an answer, and these lie along
        that axis in the order of numpy.unique(by). Missing labels (NaN, NaT, None, null) take no part, as in pandas. Of
        a DataFrame the groups are of rows, and axis=0.

    Returns
    -------
    A scalar, or an array of the axes that are kept. It is 0 for constants and never negative; NaN where
    N <= correction, as the array API standard has it, and where a value is NaN or infinite. A DataFrame reduced
    along one axis answers a Series with the other axis's labels; a masked array a masked array. With `by`, a Series
    answers a Series and a DataFrame a DataFrame, whose index is the labels; anything else an array.

    Raises
    ------
    TypeError
        The dtype of x is object, a string or any other without moments, or a duration or date, whose variance has
        none, or one without kernels on the GPU where x lies; the result dtype is not floating-point; an axis is no
        integer; where is not bool; the correction is no real number; weights are no integers.
    ValueError
        An axis is there twice or out of bounds (numpy's AxisError); ddof and correction are both given; the
        correction is not finite; the method or nan_policy is unknown; there are NaN values and nan_policy is
        ``raise``; where or weights do not broadcast to x; weights are negative, or come with another method; an
        argument is not taken for an array on a GPU, or no kernel takes its strides.
    varkernels.cuda.DeviceError
        The GPU on which x lies, or its driver, cannot do it; it is a MemoryError too if memory is what is missing.

    Warns
    -----
    RuntimeWarning
        As numpy.var does: "Degrees of freedom <= 0 for slice"; "invalid value encountered in subtract" (or
        "in reduce") for infinities; "overflow encountered in reduce" where the result's dtype cannot hold the
        variance. numpy.errstate governs the last three.

    Notes
    -----
    Array API standard 2024.12, `var`; IEEE 754-2019, section 4.3.1, for the rounding.

    An array on a GPU of NVIDIA's (torch, CuPy, Numba, JAX, anything with `__dlpack__` or `__cuda_array_interface__`) is
    reduced there, on its own stream, and so is the answer an array of its kind there, without gradients. That answer is
    **not** correctly rounded: it is Chan's formula in float32 (float64 for float64), as `varkernels.cuda` runs it:
    ``chan/grid4``, or ``chan/columns`` where the rows lie side by side. Its worst-case error is the formula's bound
    (`varkernels.FORMULAS`), with the run and the merges that `varkernels.cuda.shape_of_sum` gives. `method` names
    another of `varkernels.cuda.algorithms()`; `where`, `weights`, `by` and `nan_policy` are not taken; what is not
    finite and what overflows gives no warning, as nothing waits for the answer.

    Examples
    --------
    >>> import numpy as np, varstudy
    >>> x = np.array([2281.5, 2281.25], dtype=np.float32)
    >>> float(varstudy.var(x, correction=1))
    0.03125
    """
    (result,) = _reduced(("var",), x, axis, correction, ddof, keepdims, dtype, method, where, nan_policy, weights, by)
    return result


def std(
    x: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    correction: float = NOT_GIVEN,
    keepdims: bool = False,
    dtype: Any = None,
    method: str = UNNAMED,
    ddof: float | None = None,
    where: ArrayLike | bool = True,
    nan_policy: str = "propagate",
    weights: ArrayLike | None = None,
    by: Any = None,
) -> Any:
    """The standard deviation, the square root of the variance, correctly rounded.

    It is the exact variance's root that is rounded, once: not the root of a rounded variance. So it is finite
    and right where the variance itself overflows or underflows. Parameters, results, errors and warnings are
    those of `var`.

    Examples
    --------
    >>> import varstudy
    >>> float(varstudy.std([3e200, -3e200]))
    3e+200
    """
    (result,) = _reduced(("std",), x, axis, correction, ddof, keepdims, dtype, method, where, nan_policy, weights, by)
    return result


def mean(
    x: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    dtype: Any = None,
    method: str = UNNAMED,
    where: ArrayLike | bool = True,
    nan_policy: str = "propagate",
    weights: ArrayLike | None = None,
    by: Any = None,
) -> Any:
    """The mean, correctly rounded; parameters, results and errors are those of `var`.

    Complex values have a complex mean, each part rounded once, NaN if a part is. A mean of durations or dates is
    rounded to the nearest unit, to even, as `std` is. A mean of zero is +0.0. Infinities of one sign give that
    infinity, of both signs NaN; so do no values.

    Warns
    -----
    RuntimeWarning
        As numpy.mean does: "Mean of empty slice"; "invalid value encountered in reduce" for infinities of both
        signs, where numpy.errstate asks for it.

    Examples
    --------
    >>> import varstudy
    >>> float(varstudy.mean([1e300, 1.0, -1e300]))
    0.3333333333333333
    """
    (result,) = _reduced(("mean",), x, axis, NOT_GIVEN, None, keepdims, dtype, method, where, nan_policy, weights, by)
    return result


def mean_var(
    x: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    correction: float = NOT_GIVEN,
    keepdims: bool = False,
    dtype: Any = None,
    method: str = UNNAMED,
    ddof: float | None = None,
    where: ArrayLike | bool = True,
    nan_policy: str = "propagate",
    weights: ArrayLike | None = None,
    by: Any = None,
) -> tuple[Any, Any]:
    """Mean and variance from one read of the data: `mean` and `var`, in that order.

    Parameters, results, errors and warnings are those of these two.

    Examples
    --------
    >>> import varstudy
    >>> mean, variance = varstudy.mean_var([1.0, 2.0, 4.0], correction=1)
    >>> float(mean), float(variance)
    (2.3333333333333335, 2.3333333333333335)
    """
    first, second = _reduced(
        ("mean", "var"), x, axis, correction, ddof, keepdims, dtype, method, where, nan_policy, weights, by
    )
    return first, second
