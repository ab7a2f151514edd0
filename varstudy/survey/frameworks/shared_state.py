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
    makes="""\
layer = keras.layers.BatchNormalization({arguments})
layer.build((None, None, None, channels))  # feature maps with the channels last
return layer""",
    writes="""\
layer.set_weights([np.asarray(state[name], np.float32) for name in ("gamma", "beta", "mean", "var")])
return layer""",
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
    makes="""\
names = ("gamma", "beta", "mean", "var")
node = helper.make_node("BatchNormalization", ["x", *names], ["y"]{comma}{arguments})
fresh = [numpy_helper.from_array(np.full(channels, name in ("gamma", "var"), np.float32), name) for name in names]
shape = ["N", channels, "H", "W"]
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
