"""What the runtime's own kernel loses: a norm layer's output against the exact one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import format_of
from varkernels.norms.forward import norm_forward

from ..study.element_score import score_elements
from .norm_layers import Formula, NormLayer

__all__ = ["output_error"]

# Values of a layer that are compared.
COMPARED = 2**16


def output_error(
    layer: NormLayer, x: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None, bias: NDArray[Any] | None
) -> float:
    """The largest error of the first samples, relative to the largest exact element; NaN where it is unknown."""
    given: dict[str, Any] = {"weight": weight, "bias": bias, "epsilon": layer.epsilon}
    if y.shape != x.shape or y.dtype.kind != "f" or layer.channels_last:
        return math.nan
    if layer.formula is Formula.RUNNING:
        if layer.mean is None or layer.variance is None:
            return math.nan
        given |= {"mean": layer.mean, "variance": layer.variance}
    if layer.kind in ("layer", "rms"):
        if layer.axes != tuple(range(-len(layer.axes), 0)):
            return math.nan
        n = math.prod(x.shape[a] for a in layer.axes)
        x, y = x.reshape(-1, n), y.reshape(-1, n)
        given |= {name: None if given[name] is None else given[name].reshape(-1) for name in ("weight", "bias")}
    elif layer.kind == "group":
        given["groups"] = layer.groups
    whole = layer.kind == "batch" and layer.formula is not Formula.RUNNING
    some = len(x) if whole else max(1, COMPARED // max(1, math.prod(x.shape[1:])))
    x, y = np.ascontiguousarray(x[:some]), y[:some]
    if x.size > 16 * COMPARED or x.ndim > 5:
        return math.nan
    try:
        exact = norm_forward(x, layer.kind, **given, dtype=y.dtype)
    except (TypeError, ValueError):
        return math.nan
    return score_elements(exact, y, format_of(y.dtype)).error
