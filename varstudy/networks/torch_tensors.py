"""The tensors of torch in what a module takes and answers, and their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["array_of", "floats_of"]


def array_of(tensor: Any, torch: Any) -> NDArray[Any]:
    """A tensor's values, exact: bfloat16 as float32."""
    values = tensor.detach().cpu()
    wide = values if values.dtype in (torch.float16, torch.float32, torch.float64) else values.float()
    return np.asarray(wide.numpy())


def floats_of(answer: Any, torch: Any) -> Iterator[Any]:
    """The floating-point tensors of a nest of tuples, lists, mappings and objects with a mapping of their fields."""
    if isinstance(answer, torch.Tensor):
        if answer.is_floating_point():
            yield answer
    elif isinstance(answer, Mapping):
        for each in answer.values():
            yield from floats_of(each, torch)
    elif isinstance(answer, (tuple, list)):
        for each in answer:
            yield from floats_of(each, torch)
