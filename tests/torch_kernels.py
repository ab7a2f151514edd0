"""torch's norms as kernels for the test vectors: eager, on the CPU, contiguous and channels last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from varkernels.formats import BFLOAT16

__all__ = ["CORRECT", "FAULTY", "VERSION"]

VERSION = f"torch {torch.__version__.partition('+')[0]}"
_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def tensor(array: Any) -> Any:
    if array.dtype == BFLOAT16.dtype:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def entered(array: Any, memory: str) -> Any:
    """As it lies, contiguous, or with the channels last where torch has such a format."""
    x = tensor(array)
    if memory == "last" and x.ndim in _LAST:
        return x.contiguous(memory_format=_LAST[x.ndim])
    return x if memory == "as it lies" else x.contiguous()


def normalised(norm: str, x: Any, *given: Any) -> Any:
    if norm == "layer":
        return F.layer_norm(x, x.shape[1:], *given)
    if norm == "rms":
        return F.rms_norm(x, x.shape[1:], *given)
    if norm == "group":
        w, b, groups, epsilon = given
        return F.group_norm(x, groups, w, b, epsilon)
    w, b, epsilon = given
    if norm == "instance":
        return F.instance_norm(x, None, None, w, b, True, 0.1, epsilon)
    mean, variance = torch.zeros(x.shape[1], dtype=w.dtype), torch.ones(x.shape[1], dtype=w.dtype)
    return F.batch_norm(x, mean, variance, w, b, True, 1.0, epsilon), mean, variance


def forward(norm: str, memory: str = "contiguous", *, wide: bool = False) -> Callable[..., Any]:
    """wide : scale and shift are float32, as in mixed precision."""

    def kernel(x: Any, *given: Any) -> Any:
        parameters = [tensor(each) if isinstance(each, np.ndarray) else each for each in given]
        if wide:
            parameters = [each.float() if isinstance(each, torch.Tensor) else each for each in parameters]
        with torch.no_grad():
            return normalised(norm, entered(x, memory), *parameters)

    return kernel


def backward(norm: str, memory: str = "contiguous", *, wide: bool = False) -> Callable[..., Any]:
    def kernel(dy: Any, x: Any, weight: Any, *given: Any) -> Any:
        x = entered(x, memory).detach().requires_grad_(True)
        weight = tensor(weight).float() if wide else tensor(weight)
        parameters = [weight] if norm == "rms" else [weight, torch.zeros_like(weight)]
        parameters = [each.detach().requires_grad_(True) for each in parameters]
        y = normalised(norm, x, *parameters, *given)
        (y[0] if norm == "batch" else y).backward(tensor(dy).contiguous())
        return tuple(each.grad for each in (x, *parameters))

    return kernel


def variance(axis: int) -> Callable[..., Any]:
    def kernel(x: Any, correction: int) -> Any:
        table = tensor(x) if axis else tensor(x).T.contiguous()
        return torch.var(table, dim=axis, correction=correction)

    return kernel


Entry = tuple[str, bool, tuple[str, ...], str, Callable[..., Any]]
ALL, HALF, F4 = ("float32", "float16", "bfloat16"), ("float16", "bfloat16"), ("float32",)
# (norm, backward, dtypes, profile, function) by name.
CORRECT: dict[str, Entry] = {
    "layer_norm": ("layer", False, ALL, "single", forward("layer")),
    "layer_norm, rows apart": ("layer", False, ALL, "single", forward("layer", "as it lies")),
    "layer_norm, float32 scale": ("layer", False, HALF, "single", forward("layer", wide=True)),
    "layer_norm, gradients": ("layer", True, F4, "single", backward("layer")),
    "rms_norm": ("rms", False, ALL, "single", forward("rms")),
    "rms_norm, gradients": ("rms", True, ALL, "single", backward("rms")),
    "group_norm": ("group", False, ALL, "single", forward("group")),
    "group_norm, gradients": ("group", True, F4, "single", backward("group")),
    "group_norm, gradients, float32 scale": ("group", True, HALF, "single", backward("group", wide=True)),
    "instance_norm": ("instance", False, F4, "single", forward("instance")),
    "instance_norm, channels last": ("instance", False, F4, "single", forward("instance", "last")),
    "instance_norm, float32 scale": ("instance", False, HALF, "single", forward("instance", wide=True)),
    "instance_norm, gradients": ("instance", True, F4, "single", backward("instance")),
    "instance_norm, gradients, float32 scale": ("instance", True, HALF, "single", backward("instance", wide=True)),
    "batch_norm": ("batch", False, F4, "running", forward("batch")),
    "batch_norm, channels last": ("batch", False, F4, "running", forward("batch", "last")),
    "batch_norm, float32 scale": ("batch", False, HALF, "running", forward("batch", wide=True)),
    "batch_norm, gradients": ("batch", True, F4, "single", backward("batch")),
    "batch_norm, gradients, float32 scale": ("batch", True, HALF, "single", backward("batch", wide=True)),
    "var of rows": ("variance", False, (*ALL, "float64"), "single", variance(1)),
    "var of columns": ("variance", False, (*ALL, "float64"), "single", variance(0)),
}
FAULTY: dict[str, Entry] = {
    "group_norm, channels last": ("group", False, ALL, "single", forward("group", "last")),
    "batch_norm, tables": ("batch", False, F4, "single", forward("batch")),
    "batch_norm, channels last": ("batch", False, F4, "single", forward("batch", "last")),
    "batch_norm, float32 scale": ("batch", False, ("float16",), "single", forward("batch", wide=True)),
    "batch_norm, scale in half": ("batch", False, HALF, "single", forward("batch")),
    "instance_norm, scale in half": ("instance", False, HALF, "single", forward("instance")),
    "layer_norm, gradients": ("layer", True, HALF, "single", backward("layer")),
    "layer_norm, gradients, float32 scale": ("layer", True, HALF, "single", backward("layer", wide=True)),
    "group_norm, gradients, scale in half": ("group", True, HALF, "single", backward("group")),
    "instance_norm, gradients, scale in half": ("instance", True, HALF, "single", backward("instance")),
    "batch_norm, gradients, scale in half": ("batch", True, HALF, "single", backward("batch")),
    "batch_norm, gradients, channels last": ("batch", True, HALF, "single", backward("batch", "last", wide=True)),
}
