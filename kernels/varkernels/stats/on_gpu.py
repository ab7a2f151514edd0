"""The answers for an array on a GPU: by the CUDA kernels, and left there."""

from __future__ import annotations

import math
from collections.abc import MutableSet
from typing import Any

from ..cuda import tensors
from ..exact.rounding_one import DEGREES, EMPTY, correction_float
from .arguments import UNNAMED, Request
from .axes import normalized
from .inputs import result_format

__all__ = ["answer_on_gpu", "method_on_gpu"]


def method_on_gpu(method: str) -> str | None:
    """The CUDA algorithm that a method names; None for the library's choice.

    Raises
    ------
    ValueError
        It is ``exact``, which is not computed for a user's array on a GPU yet.
    """
    if method is UNNAMED:
        return None
    if method == "exact":
        raise ValueError(
            "method='exact' is not computed for an array on a GPU: copy x to the computer's memory, or leave method "
            "out, which is chan in the kernels' accumulator"
        )
    return method


def _refuse(request: Request, by: Any) -> None:
    copy = "copy x to the computer's memory"
    where: Any = request.where
    if where is not True:
        raise ValueError(f"where is not taken with an array on a GPU: {copy}, or give the values that count")
    if request.weights is not None:
        raise ValueError(f"weights are not taken with an array on a GPU: {copy}")
    if by is not None:
        raise ValueError(f"by is not taken with an array on a GPU: {copy}")
    if request.omit or request.refuse:
        raise ValueError(f"nan_policy is 'propagate' for an array on a GPU: {copy}, or give the values that count")


def answer_on_gpu(x: Any, request: Request, by: Any, notes: MutableSet[str]) -> list[Any]:
    """The wanted answers, each an array of x's kind; what is known to warn of without reading a value joins the notes.

    Raises
    ------
    TypeError
        There are no kernels for x's dtype; the result dtype is not floating-point.
    ValueError
        An argument is not taken for such an array; the method is unknown; the strides are not taken.
    varkernels.cuda.DeviceError
        The GPU or its driver cannot do it.
    """
    _refuse(request, by)
    method = method_on_gpu(request.method)
    array = tensors.described(x)
    axes = normalized(request.axis, array.ndim)
    wanted = None if request.dtype is None else result_format(array.dtype, request.dtype)
    moments = tensors.moments_of(array, axes, method, wanted)
    values = math.prod(array.shape[a] for a in axes)
    correction = correction_float(request.correction)
    shape = tuple(1 if a in axes else n for a, n in enumerate(array.shape) if request.keepdims or a not in axes)
    if len(moments):
        if "mean" in request.wants and not values:
            notes.add(EMPTY)
        if values <= correction and set(request.wants) - {"mean"}:
            notes.add(DEGREES)
    return [moments.answers(want, correction, shape) for want in request.wants]
