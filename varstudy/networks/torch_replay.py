"""A torch model run again and again, with the outputs of its norm modules computed in another way."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .norm_layers import NormLayer
from .replaced_norms import EXACT, Way, fits, replaced
from .torch_tensors import array_of, floats_of

__all__ = ["TorchReplay"]

# Random numbers, such as those of dropout in training, are the same in every run.
SEED = 0


@dataclass(frozen=True)
class _Norm:
    name: str
    module: Any
    layer: NormLayer
    weight: NDArray[Any] | None
    bias: NDArray[Any] | None


class TorchReplay:
    """Runs a model on its inputs, with other norms.

    Parameters
    ----------
    model, inputs : a torch.nn.Module and what it is called with. layers : its norms by module, with what they are.

    Attributes
    ----------
    names : of the norms that can be replaced. left : those whose output exact statistics do not give, with any of the
        weights that are usual: none, weight and bias, or 1 + weight.
    """

    def __init__(self, model: Any, inputs: Sequence[Any], layers: Mapping[str, tuple[Any, NormLayer]]) -> None:
        self._torch: Any = importlib.import_module("torch")
        self.model, self.inputs = model, inputs
        found: dict[str, _Norm] = {}

        def look(name: str, module: Any, layer: NormLayer) -> Any:
            def hook(_: Any, given: Any, named: Any, answer: Any) -> None:
                tensor = next(floats_of((*given, *named.values()), self._torch), None)
                if name not in found and tensor is not None and isinstance(answer, self._torch.Tensor):
                    norm = self._fitting(name, module, layer, array_of(tensor, self._torch), answer)
                    if norm is not None:
                        found[name] = norm

            return module.register_forward_hook(hook, with_kwargs=True)

        self._forward([look(name, module, layer) for name, (module, layer) in layers.items()])
        self._norms = list(found.values())
        self.names = list(found)
        self.left = [name for name in layers if name not in found]

    def _fitting(self, name: str, module: Any, layer: NormLayer, x: NDArray[Any], answer: Any) -> _Norm | None:
        y = array_of(answer, self._torch)
        weight, bias = (
            array_of(each, self._torch) if isinstance(each, self._torch.Tensor) else None
            for each in (getattr(module, "weight", None), getattr(module, "bias", None))
        )
        above = None if weight is None else 1 + weight
        for scale, shift in ((weight, bias), (above, bias), (None, None)):
            try:
                if fits(replaced(layer, x, EXACT, scale, shift), y):
                    return _Norm(name, module, layer, scale, shift)
            except ValueError:
                continue
        return None

    def run(self, ways: Mapping[int, Way]) -> list[NDArray[Any]]:
        """The model's floating-point outputs, each norm computed in its way."""

        def put(norm: _Norm, way: Way) -> Any:
            def hook(_: Any, given: Any, named: Any, answer: Any) -> Any:
                x = next(floats_of((*given, *named.values()), self._torch))
                y = replaced(norm.layer, array_of(x, self._torch), way, norm.weight, norm.bias)
                return self._torch.from_numpy(np.ascontiguousarray(y)).to(answer)

            return norm.module.register_forward_hook(hook, with_kwargs=True)

        answer = self._forward([put(self._norms[k], way) for k, way in ways.items()])
        return [array_of(each, self._torch) for each in floats_of(answer, self._torch)]

    def _forward(self, hooks: Sequence[Any]) -> Any:
        try:
            with self._torch.no_grad(), self._torch.random.fork_rng():
                self._torch.manual_seed(SEED)
                return self.model(*self.inputs)
        finally:
            for hook in hooks:
                hook.remove()
