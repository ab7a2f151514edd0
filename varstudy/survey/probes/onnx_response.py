"""ONNX's operator LRN as a model, for the runtimes that run ONNX models."""

from onnx import TensorProto, helper

NAMES = {"size": "size", "alpha": "alpha", "beta": "beta", "k": "bias"}


def model(shape, given):
    """A model of one LRN from x to y, of opset 13; what is not given is left out."""
    node = helper.make_node("LRN", ["x"], ["y"], **{NAMES[name]: value for name, value in given.items()})
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    graph = helper.make_graph([node], "response", ends[:1], ends[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=10)
