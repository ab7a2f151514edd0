"""A convolution and the norm after it, as layer objects of PyTorch or Keras: what `fold` needs is read from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .folded import Folded, fold

__all__ = ["fold_layers"]

# Torch's convolutions by name: an older or a quantised one of another name is refused.
_TORCH = {f"{kind}{rank}d" for kind in ("Conv", "ConvTranspose") for rank in (1, 2, 3)} | {"Linear"}
# Keras has the outputs last, second to last in a transposed one; a depthwise one has its own order.
_KERAS = (
    {f"Conv{rank}D": -1 for rank in (1, 2, 3)} | {f"Conv{rank}DTranspose": -2 for rank in (1, 2, 3)} | {"Dense": -1}
)

_TORCH_NORM = {"scale": "weight", "shift": "bias", "mean": "running_mean", "var": "running_var"}
_KERAS_NORM = {"scale": "gamma", "shift": "beta", "mean": "moving_mean", "var": "moving_variance"}


def fold_layers(convolution: Any, norm: Any, *, dtype: Any = "float32") -> Folded:
    """The weights and the bias of a convolution that has taken in the batch norm after it.

    Parameters
    ----------
    convolution : torch.nn.Conv1d to 3d, ConvTranspose1d to 3d, grouped or not, or Linear; Keras's Conv1D to 3D,
        Conv1DTranspose to 3DTranspose or Dense.
    norm : a batch norm of the same framework, with running statistics, that comes directly after it.
    dtype : as for `fold`.

    Returns
    -------
    Folded
        The weight has the shape and the order of the layer's own.

    Raises
    ------
    ValueError
        The layers are of another kind, have no running statistics, or do not fit; also as for `fold`.
    """
    name = type(convolution).__name__
    if hasattr(convolution, "weight") and name in _TORCH:
        return _torch(convolution, norm, dtype)
    if hasattr(convolution, "kernel") and name in _KERAS:
        return _keras(convolution, norm, _KERAS[name], dtype)
    raise ValueError(
        f"{name} is no convolution that can be folded: give one of {', '.join(sorted(_TORCH))} of PyTorch or "
        f"{', '.join(sorted(_KERAS))} of Keras, or its arrays to fold()"
    )


def _torch(convolution: Any, norm: Any, dtype: Any) -> Folded:
    if getattr(norm, "running_var", None) is None or not hasattr(norm, "eps"):
        raise ValueError(_no_statistics(norm))

    def array(value: Any) -> NDArray[Any] | None:
        return None if value is None else np.array(value.detach().cpu().double().numpy())

    parts: dict[str, Any] = {ours: array(getattr(norm, name)) for ours, name in _TORCH_NORM.items()}
    transposed = bool(getattr(convolution, "transposed", False))
    weight, bias = array(convolution.weight), array(convolution.bias)
    assert weight is not None
    groups = getattr(convolution, "groups", 1)
    return fold(weight, bias, **parts, epsilon=norm.eps, transposed=transposed, groups=groups, dtype=dtype)


def _keras(convolution: Any, norm: Any, outputs: int, dtype: Any) -> Folded:
    if getattr(norm, "moving_variance", None) is None:
        raise ValueError(_no_statistics(norm))
    if getattr(convolution, "groups", 1) != 1 and outputs != -1:
        raise ValueError("a grouped transposed convolution of Keras cannot be folded: give its arrays to fold()")

    def array(value: Any) -> NDArray[Any] | None:
        return None if value is None else np.array(value.numpy() if hasattr(value, "numpy") else value, np.float64)

    parts: dict[str, Any] = {ours: array(getattr(norm, name, None)) for ours, name in _KERAS_NORM.items()}
    kernel = array(convolution.kernel)
    assert kernel is not None
    first = np.moveaxis(kernel, outputs, 0)
    done = fold(first, array(convolution.bias), **parts, epsilon=norm.epsilon, transposed=False, dtype=dtype)
    return Folded(np.ascontiguousarray(np.moveaxis(done.weight, 0, outputs)), done.bias)


def _no_statistics(norm: Any) -> str:
    return (
        f"{type(norm).__name__} has no running statistics: only a batch norm that keeps them can be folded, "
        "since inference must not depend on the batch"
    )
