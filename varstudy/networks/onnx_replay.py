"""An ONNX graph cut at its norms: the parts between them run by ONNX Runtime, the norms computed in any way.

Each operator belongs to the first part that needs it, so that nothing runs twice. The norms' own operators run nowhere,
but where something else takes their results.

Needs the packages onnx and onnxruntime (``pip install 'varstudy[onnx]'``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from .onnx_graph import OnnxGraph, taken_by
from .onnx_norms import OnnxNorm
from .onnx_running import session_of
from .replaced_norms import Way, replaced

__all__ = ["OnnxReplay"]


@dataclass
class _Part:
    """Operators between norms: which tensors they take, and which they make for others."""

    nodes: list[Any]
    takes: list[str]
    gives: list[str]
    session: Any = field(default=None, repr=False)


class OnnxReplay:
    """Runs a network again and again, with other norms.

    Parameters
    ----------
    model : an onnx model without functions. graph : its operators, as they came. norms : those to replace.
    outputs : the tensors that the network answers.
    """

    def __init__(self, model: Any, graph: OnnxGraph, norms: Sequence[OnnxNorm], outputs: Sequence[str]) -> None:
        self.model, self.graph, self.norms, self.outputs = model, graph, norms, list(outputs)
        self.order = sorted(range(len(norms)), key=lambda k: graph.maker[norms[k].output])
        self._initial = {each.name: each for each in model.graph.initializer}
        known = {each.name for each in model.graph.input} | set(self._initial)
        parts = []
        for k in (*self.order, None):
            wanted = self.outputs if k is None else norms[k].inputs
            at = self._needed(wanted, known)
            known |= {name for each in at for name in graph.nodes[each].output if name}
            parts.append([graph.nodes[each] for each in at])
            if k is not None:
                known.add(norms[k].output)
        self.parts = self._joined(parts)

    def _needed(self, wanted: Iterable[str], known: set[str]) -> list[int]:
        """The operators that make some tensors from those that are known, in the graph's order."""
        found: set[int] = set()
        todo = list(wanted)
        while todo:
            tensor = todo.pop()
            at = self.graph.maker.get(tensor)
            if tensor in known or at is None or at in found:
                continue
            found.add(at)
            todo += taken_by(self.graph.nodes[at])
        return sorted(found)

    def _joined(self, parts: list[list[Any]]) -> list[_Part]:
        """The parts with the tensors that go from one to another; a norm's output comes from the norm alone."""
        given = {self.norms[k].output for k in self.order}
        later = set(self.outputs) | {name for norm in self.norms for name in norm.inputs}
        found: list[_Part] = []
        for nodes in reversed(parts):
            made = {name for node in nodes for name in node.output if name} - given
            takes = {name for node in nodes for name in taken_by(node)} - made - set(self._initial)
            outer = {each for each in takes if each in self.graph.maker or each in self._inputs}
            found.append(_Part([_without(node, given) for node in nodes], sorted(outer), sorted(made & later)))
            later |= outer
        return found[::-1]

    @property
    def _inputs(self) -> set[str]:
        return {each.name for each in self.model.graph.input}

    def run(self, feed: Mapping[str, NDArray[Any]], ways: Mapping[int, Way]) -> list[NDArray[Any]]:
        """The network's floating-point outputs for one batch, each norm computed in its way.

        Raises
        ------
        ValueError
            A norm's input or weight has a shape that does not fit it.
        """
        values: dict[str, Any] = dict(feed)
        for part, k in zip(self.parts, (*self.order, None), strict=True):
            values |= self._answers(part, values)
            if k is not None:
                norm = self.norms[k]
                x = norm.input_of(values)
                y = replaced(norm.layer, x, ways[k], norm.weight, norm.bias)
                with np.errstate(over="ignore"):
                    values[norm.output] = y.astype(x.dtype)
        found = (np.asarray(values[name]) for name in self.outputs)
        return [each for each in found if each.dtype.kind == "f"]

    def _answers(self, part: _Part, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        if not part.nodes or not part.gives:
            return iter(())
        feed = {name: values[name] for name in part.takes}
        if part.session is None:
            part.session = session_of(self._model_of(part, feed).SerializeToString())
        return iter(zip(part.gives, part.session.run(part.gives, feed), strict=True))

    def _model_of(self, part: _Part, feed: Mapping[str, Any]) -> Any:
        taken = {name for node in part.nodes for name in taken_by(node)}
        graph = helper.make_graph(
            part.nodes,
            "part",
            [helper.make_tensor_value_info(name, _kind(value), None) for name, value in feed.items()],
            [helper.make_empty_tensor_value_info(name) for name in part.gives],
            [each for name, each in self._initial.items() if name in taken],
        )
        return helper.make_model(graph, opset_imports=self.model.opset_import, ir_version=self.model.ir_version)


def _kind(value: Any) -> int:
    if not isinstance(value, np.ndarray):
        raise ValueError(f"a part of the network hands on a {type(value).__name__}, and no tensor")
    return int(helper.np_dtype_to_tensor_dtype(value.dtype))


def _without(node: Any, given: set[str]) -> Any:
    """An operator whose results do not have the names of tensors that come from elsewhere."""
    if not given & set(node.output):
        return node
    copy = type(node)()
    copy.CopyFrom(node)
    copy.output[:] = [f"varstudy/unused/{name}" if name in given else name for name in node.output]
    return copy
