"""Code for the state of layers that several frameworks have in common."""

from __future__ import annotations

from .declaring import StateCode, reads

__all__ = ["KERAS_STATE", "OLD_KERAS_READS", "ONNX_STATE"]


def _keras_reads(convert: str) -> str:
    return reads("gamma", "beta", "moving_mean", "moving_variance", f"np.array({convert}, np.float64)")


KERAS_STATE = StateCode(
    imports="import keras",
    layer="a built BatchNormalization",
    reads=_keras_reads("keras.ops.convert_to_numpy(value)"),
    settings="""\
(axis,) = layer.axis if isinstance(layer.axis, (list, tuple)) else (layer.axis,)
rank = getattr(layer.input_spec, "ndim", None)
axis = -1 if rank is not None and axis in (-1, rank - 1) else axis
if axis not in (1, -1):
    raise ValueError(f"the layer has its channels on axis {axis}: only 1 and the last can be carried")
found = {"epsilon": layer.epsilon, "momentum": layer.momentum, "axis": axis, "rank": rank}
return {**found, "scale": layer.gamma is not None, "shift": layer.beta is not None}""",
    makes="""\
given = {"axis": axis, "momentum": momentum, "epsilon": epsilon, "scale": scale, "center": shift}
layer = keras.layers.BatchNormalization(**given)
shape = [None] * rank
shape[axis] = channels
layer.build(tuple(shape))
return layer""",
    writes="""\
there = {"gamma": layer.scale, "beta": layer.center, "mean": True, "var": True}
layer.set_weights([np.asarray(state[name], np.float32) for name in there if there[name]])
return layer""",
    axes=(-1, 1),
)
OLD_KERAS_READS = _keras_reads("keras.backend.get_value(value)")
ONNX_STATE = StateCode(
    imports="import onnx\nfrom onnx import helper, numpy_helper",
    layer="a model with one BatchNormalization whose parameters are initializers",
    reads="""\
node = next(each for each in layer.graph.node if each.op_type == "BatchNormalization")
arrays = {each.name: numpy_helper.to_array(each) for each in layer.graph.initializer}
pairs = zip(("gamma", "beta", "mean", "var"), node.input[1:5])
return {name: np.array(arrays[key], np.float64) for name, key in pairs}""",
    settings="""\
node = next(each for each in layer.graph.node if each.op_type == "BatchNormalization")
given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
if given.get("training_mode"):
    raise ValueError("the model was exported in training mode: export it again after eval()")
shapes = {each.name: each.type.tensor_type.shape.dim for each in (*layer.graph.input, *layer.graph.value_info)}
# an attribute is a float32: the decimal that it stands for
values = [np.array(given.get(*each), np.float32) for each in (("epsilon", 1e-5), ("momentum", 0.9))]
epsilon, momentum = (float(str(value)) for value in values)
return {"epsilon": epsilon, "momentum": momentum, "axis": 1, "rank": len(shapes.get(node.input[0], ())) or None}""",
    makes="""\
names = ("gamma", "beta", "mean", "var")
given = {"epsilon": epsilon, "momentum": momentum}
node = helper.make_node("BatchNormalization", ["x", *names], ["y"], **given)
fresh = [numpy_helper.from_array(np.full(channels, name in ("gamma", "var"), np.float32), name) for name in names]
shape = ["N", channels, "D", "H", "W"][:rank]
ends = [[helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)] for name in ("x", "y")]
graph = helper.make_graph([node], "batch_normalisation", *ends, fresh)
return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)""",
    writes="""\
node = next(each for each in layer.graph.node if each.op_type == "BatchNormalization")
ours = dict(zip(node.input[1:5], ("gamma", "beta", "mean", "var")))
for each in layer.graph.initializer:
    if each.name in ours:
        each.CopyFrom(numpy_helper.from_array(np.asarray(state[ours[each.name]], np.float32), each.name))
return layer""",
)
