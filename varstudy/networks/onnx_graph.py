"""An ONNX graph as a network of operators and tensors: who makes a tensor, who takes it, which tensors are constants.

Needs the package onnx (``pip install 'varstudy[onnx]'``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, helper, numpy_helper

__all__ = ["OnnxGraph", "subgraphs", "taken_by"]

# Operators that change a tensor's shape or format, and no value but by rounding.
SHAPES = ("Identity", "Cast", "CastLike", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Expand")


def subgraphs(node: Any) -> list[Any]:
    """The graphs within an operator: the branches of If, the bodies of Loop and Scan."""
    found = []
    for each in node.attribute:
        if each.type == AttributeProto.GRAPH:
            found.append(each.g)
        elif each.type == AttributeProto.GRAPHS:
            found += list(each.graphs)
    return found


def taken_by(node: Any) -> list[str]:
    """The tensors that an operator takes, those that the graphs within it take from outside among them."""
    found = [name for name in node.input if name]
    for graph in subgraphs(node):
        made = {each.name for each in (*graph.input, *graph.initializer)}
        made |= {name for inner in graph.node for name in inner.output}
        inner = [name for each in graph.node for name in taken_by(each)] + [each.name for each in graph.output]
        found += [name for name in inner if name not in made]
    return found


class OnnxGraph:
    """The operators of a graph, without those within its operators, in their order.

    Parameters
    ----------
    graph : onnx's own. around : the one that it is within, which has constants for it.

    Attributes
    ----------
    nodes : onnx's own. named : by index, a name for each: its own, or `type_index`.
    """

    def __init__(self, graph: Any, around: OnnxGraph | None = None) -> None:
        self._around = around
        self.nodes = list(graph.node)
        self.maker: dict[str, int] = {}
        self.takers: dict[str, list[int]] = defaultdict(list)
        self._initial = {each.name: each for each in graph.initializer}
        self._known: dict[str, NDArray[Any] | None] = {}
        for at, node in enumerate(self.nodes):
            for name in node.output:
                if name:
                    self.maker[name] = at
            for name in node.input:
                if name:
                    self.takers[name].append(at)

    def name(self, at: int) -> str:
        """An operator's name: its own, or its type and index where it has none."""
        node = self.nodes[at]
        return str(node.name) or f"{node.op_type}_{at}"

    def make(self, tensor: str) -> Any:
        """The operator that makes a tensor; None for inputs and constants."""
        at = self.maker.get(tensor)
        return None if at is None else self.nodes[at]

    def attribute(self, node: Any, name: str, default: Any = None) -> Any:
        """An attribute's value."""
        for each in node.attribute:
            if each.name == name:
                return helper.get_attribute_value(each)
        return default

    def constant(self, tensor: str) -> NDArray[Any] | None:
        """A tensor's value where it does not depend on the network's inputs by more than its shape's change."""
        if tensor not in self._known:
            self._known[tensor] = self._constant(tensor)
        return self._known[tensor]

    def _constant(self, tensor: str) -> NDArray[Any] | None:
        if tensor in self._initial:
            return np.asarray(numpy_helper.to_array(self._initial[tensor]))
        node = self.make(tensor)
        if node is None:
            return None if self._around is None else self._around.constant(tensor)
        if node.op_type == "Constant":
            for each in node.attribute:
                if each.name == "value":
                    return np.asarray(numpy_helper.to_array(each.t))
                if each.name in ("value_float", "value_int"):
                    return np.asarray(each.f if each.name == "value_float" else each.i)
                if each.name in ("value_floats", "value_ints"):
                    return np.asarray(list(each.floats or each.ints))
        if node.op_type in SHAPES and node.input:
            return self.constant(node.input[0])
        return None

    def scalar(self, tensor: str) -> float | None:
        """The number that a constant of one element holds."""
        value = self.constant(tensor)
        return float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None

    def behind(self, tensor: str, through: tuple[str, ...] = SHAPES) -> str:
        """The tensor that this one is, before operators that change its shape or format only."""
        node = self.make(tensor)
        while node is not None and node.op_type in through and node.input:
            # A clamp may have its constant first.
            tensor = next((name for name in node.input if name and self.constant(name) is None), node.input[0])
            node = self.make(tensor)
        return tensor

    def between(self, source: str, end: str, most: int = 64) -> list[int]:
        """The operators on a way from one tensor to another, in the graph's order; at most so many."""
        back: set[int] = set()
        todo = [end]
        while todo and len(back) < 4 * most:
            at = self.maker.get(todo.pop())
            if at is None or at in back:
                continue
            back.add(at)
            todo += [name for name in self.nodes[at].input if name and name != source]
        ahead: set[int] = set()
        todo = [source]
        while todo:
            for at in self.takers[todo.pop()]:
                if at in back and at not in ahead:
                    ahead.add(at)
                    todo += [name for name in self.nodes[at].output if name]
        return sorted(ahead)

    def of_type(self, *types: str) -> Iterator[tuple[int, Any]]:
        """Operators of some types, with their indices."""
        for at, node in enumerate(self.nodes):
            if node.op_type in types:
                yield at, node
