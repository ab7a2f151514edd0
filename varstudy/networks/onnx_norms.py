"""The norm layers of an ONNX graph: fused operators, and those that an exporter has taken apart.

A norm in pieces is found from its end: a root of (variance + epsilon). Going back from the variance, a mean of squares
of x - mean(x) is two-pass; a mean of squares of x, less the square of a mean, is E[x^2] - E[x]^2; a mean of squares
alone is RMS norm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .norm_layers import Formula, NormLayer
from .onnx_graph import SHAPES, OnnxGraph

__all__ = ["OnnxNorm", "norms_of"]

SUMS = ("ReduceSum", "ReduceSumSquare")
MEANS = ("ReduceMean", "GlobalAveragePool", *SUMS)
# What stands between a variance and its root without changing what it is: a clamp at 0, a factor n / (n - 1).
HARMLESS = (*SHAPES, "Max", "Clip", "Relu", "Abs")
# The largest constant that counts as an epsilon.
EPSILON = 0.1
KIND = {
    "LayerNormalization": "layer",
    "SkipLayerNormalization": "layer",
    "EmbedLayerNormalization": "layer",
    "RMSNormalization": "rms",
    "SimplifiedLayerNormalization": "rms",
    "SkipSimplifiedLayerNormalization": "rms",
    "GroupNormalization": "group",
    "GroupNorm": "group",
    "InstanceNormalization": "instance",
    "BatchNormalization": "batch",
    "MeanVarianceNormalization": "layer",
}
# Operators that add a second tensor before they normalise: the sum is the norm's input.
SKIP = ("SkipLayerNormalization", "SkipSimplifiedLayerNormalization")


@dataclass(frozen=True)
class OnnxNorm:
    """A norm layer, and the tensors to look at.

    Attributes
    ----------
    layer : what it is. inputs : the tensors whose sum it normalises. output : what it makes.
    variance : the tensor of its variance, of a norm in pieces; else empty.
    weight, bias : constants, or None. added : a constant that joins the sum of the inputs, or None.
    problem : why it can't be looked at; empty where it can.
    """

    layer: NormLayer
    inputs: tuple[str, ...]
    output: str
    variance: str = ""
    weight: Any = None
    bias: Any = None
    added: Any = None
    problem: str = ""

    @property
    def tensors(self) -> tuple[str, ...]:
        """What an audit looks at."""
        return tuple(dict.fromkeys(name for name in (*self.inputs, self.output, self.variance) if name))

    def input_of(self, values: Mapping[str, Any]) -> NDArray[Any]:
        """What it normalises, from tensors by name."""
        x = np.asarray(values[self.inputs[0]])
        for other in self.inputs[1:]:
            x = x + np.asarray(values[other])
        return x if self.added is None else x + self.added


def norms_of(graph: OnnxGraph) -> list[OnnxNorm]:
    """All norm layers, in the graph's order."""
    found = [(at, _fused(graph, at, node)) for at, node in graph.of_type(*KIND)]
    for at, root in graph.of_type("Sqrt", "Pow"):
        norm = _in_pieces(graph, at, root)
        if norm is not None:
            found.append((at, norm))
    return [norm for _, norm in sorted(found, key=lambda pair: pair[0])]


def _fused(graph: OnnxGraph, at: int, node: Any) -> OnnxNorm:
    kind, problem = KIND[node.op_type], ""
    epsilon = float(graph.attribute(node, "epsilon", 1e-9 if node.op_type.startswith("Mean") else 1e-5))
    axes: tuple[int, ...] = (-1,)
    groups, last = 0, False
    mean = variance = None
    formula = Formula.FUSED
    if node.op_type in ("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"):
        first = int(graph.attribute(node, "axis", -1))
        # Axes from the first to the last; how many there are is not known before there is an input.
        axes = tuple(range(first, 0)) if first < 0 else ()
        problem = "" if axes else _axes_problem(graph, node, first)
        axes = axes or _last_axes(graph, node, first)
    elif node.op_type == "MeanVarianceNormalization":
        axes = tuple(int(a) for a in graph.attribute(node, "axes", [0, 2, 3]))
    elif kind == "group":
        groups = int(graph.attribute(node, "num_groups", graph.attribute(node, "groups", 0)))
        last = node.op_type == "GroupNorm" and bool(graph.attribute(node, "channels_last", 1))
    elif kind == "batch" and not graph.attribute(node, "training_mode", 0):
        formula = Formula.RUNNING
        kept = [graph.constant(name) for name in node.input[3:5]]
        mean, variance = (None if each is None else each.astype(np.float64).reshape(-1) for each in kept)
    skips = node.op_type in SKIP
    constants = [graph.constant(name) if name else None for name in node.input[2 if skips else 1 :]]
    # The simplified norm has a weight and no bias; what follows is added to the input.
    weight, bias, added = (*constants, None, None, None)[:3]
    if kind == "rms":
        bias, added = None, bias
    layer = NormLayer(
        graph.name(at), kind, formula, epsilon, axes, groups, last, mean, variance, nodes=(graph.name(at),)
    )
    return OnnxNorm(
        layer,
        tuple(node.input[: 2 if skips else 1]),
        node.output[0],
        weight=weight,
        bias=bias,
        added=added if skips else None,
        problem=problem,
    )


def _axes_problem(graph: OnnxGraph, node: Any, first: int) -> str:
    return (
        ""
        if _last_axes(graph, node, first)
        else f"its axis {first} counts from the front, and no weight says how many axes follow"
    )


def _last_axes(graph: OnnxGraph, node: Any, first: int) -> tuple[int, ...]:
    """An axis that counts from the front, as one that counts from the end: the scale has as many as are normalised."""
    scale = graph.constant(node.input[1]) if len(node.input) > 1 else None
    return tuple(range(-scale.ndim, 0)) if scale is not None and scale.ndim else ()


def _in_pieces(graph: OnnxGraph, at: int, root: Any) -> OnnxNorm | None:
    """The norm whose root of (variance + epsilon) this operator takes; None where it is none."""
    if root.op_type == "Pow" and graph.scalar(root.input[1]) not in (0.5, -0.5):
        return None
    added = graph.make(root.input[0])
    if added is None or added.op_type != "Add":
        return None
    sides = [(graph.scalar(one), other) for one, other in (added.input, added.input[::-1])]
    epsilon, tensor = next(((e, t) for e, t in sides if e is not None and 0 <= e <= EPSILON), (None, ""))
    if epsilon is None:
        return None
    known = _variance(graph, tensor)
    if known is None:
        return None
    formula, source, reduced = known
    axes = _axes(graph, reduced)
    last = _end(graph, root)
    output = graph.nodes[last].output[0]
    nodes = graph.between(source, output)
    whole = "" if axes else "the axes that it takes together are no constants"
    name = graph.name(at)
    layer = NormLayer(
        # The part of the network that its operators are named after.
        name.rpartition("/")[0] or name,
        "rms" if formula is Formula.SQUARES else "layer",
        formula,
        epsilon,
        axes or (-1,),
        stores_sum=reduced.op_type in SUMS,
        nodes=tuple(graph.name(each) for each in nodes),
    )
    return OnnxNorm(layer, (source,), output, variance=tensor, problem=whole)


def _variance(graph: OnnxGraph, tensor: str) -> tuple[Formula, str, Any] | None:
    """The formula, the input and the mean's operator, from the tensor of a variance."""
    tensor = _scaled(graph, tensor)
    node = graph.make(tensor)
    if node is None:
        return None
    if node.op_type == "Sub":
        whole = _mean_of_squares(graph, node.input[0])
        if whole is None or _square_of(graph, graph.behind(node.input[1])) is None:
            return None
        return Formula.NAIVE, whole[0], whole[1]
    found = _mean_of_squares(graph, tensor)
    if found is None:
        return None
    base, mean = found
    minus = graph.make(graph.behind(base))
    if minus is not None and minus.op_type == "Sub":
        centre = graph.make(_scaled(graph, minus.input[1]))
        if centre is not None and centre.op_type in MEANS:
            return Formula.TWO_PASS, minus.input[0], mean
    return Formula.SQUARES, base, mean


def _scaled(graph: OnnxGraph, tensor: str) -> str:
    """Before clamps, changes of shape, and factors that are constants, such as 1 / n or n / (n - 1)."""
    while True:
        tensor = graph.behind(tensor, HARMLESS)
        node = graph.make(tensor)
        if node is None or node.op_type not in ("Mul", "Div"):
            return tensor
        if graph.scalar(node.input[1]) is not None:
            tensor = node.input[0]
        elif node.op_type == "Mul" and graph.scalar(node.input[0]) is not None:
            tensor = node.input[1]
        else:
            return tensor


def _mean_of_squares(graph: OnnxGraph, tensor: str) -> tuple[str, Any] | None:
    """What is squared and averaged, and the operator that averages."""
    node = graph.make(_scaled(graph, tensor))
    if node is None or node.op_type not in MEANS:
        return None
    if node.op_type == "ReduceSumSquare":
        return node.input[0], node
    base = _square_of(graph, graph.behind(node.input[0]))
    return None if base is None else (base, node)


def _square_of(graph: OnnxGraph, tensor: str) -> str | None:
    node = graph.make(tensor)
    if node is None:
        return None
    if node.op_type == "Mul" and node.input[0] == node.input[1]:
        return str(node.input[0])
    if node.op_type == "Pow" and graph.scalar(node.input[1]) == 2:
        return str(node.input[0])
    return None


def _axes(graph: OnnxGraph, node: Any) -> tuple[int, ...] | None:
    """The axes that an average takes together; None where they are no constants."""
    if node.op_type == "GlobalAveragePool":
        return (2, 3)
    axes = graph.attribute(node, "axes")
    if axes is None and len(node.input) > 1 and node.input[1]:
        axes = graph.constant(node.input[1])
    return None if axes is None else tuple(int(a) for a in np.asarray(axes).reshape(-1))


def _end(graph: OnnxGraph, root: Any) -> int:
    """The operator whose result is the normalised tensor: the division, or the product with the inverse root."""
    tensor, last = root.output[0], graph.maker[root.output[0]]
    for _ in range(4):
        takers = graph.takers[tensor]
        if not takers:
            return last
        last = takers[0]
        node = graph.nodes[last]
        if node.op_type == "Div" and node.input[1] == tensor and graph.scalar(node.input[0]) is None:
            return last
        if node.op_type == "Mul":
            other = node.input[0] if node.input[1] == tensor else node.input[1]
            if graph.constant(other) is None:
                return last
        tensor = node.output[0]
    return last
