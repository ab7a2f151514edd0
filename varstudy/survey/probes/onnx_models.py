"""Models of one ONNX normalisation operator, for the adapters of the runtimes that run ONNX models."""

from collections import OrderedDict

import numpy as np
import onnx
from layer_contract import Unsupported, vector, widen
from onnx import TensorProto, helper

VARIANTS = {
    "batch": OrderedDict(
        (
            f"{rank}opset {opset}",
            f"BatchNormalization of opset {opset} on {shape}; mean and variance are its inputs, and {what}",
        )
        for rank, shape in (("", "NCHW"), ("2-D, ", "(N, C)"))
        for opset, what in (
            (9, "its further outputs ask for training"),
            (14, "training_mode=1 asks for training; all inputs have one dtype"),
            (15, "training_mode=1 asks for training; scale, shift and statistics stay float32"),
        )
    ),
    "layer": {
        "2-D": "LayerNormalization of opset 17 on (N, C), axis -1",
        "NCHW": "LayerNormalization of opset 17 on NCHW, axis 1",
    },
    "group": {"NCHW": "GroupNormalization of opset 21 on NCHW"},
    "instance": {"NCHW": "InstanceNormalization of opset 6 on NCHW"},
    "rms": {"2-D": "RMSNormalization of opset 23 on (N, C), axis -1"},
}
OPERATORS = {
    "layer": ("LayerNormalization", 17),
    "group": ("GroupNormalization", 21),
    "instance": ("InstanceNormalization", 6),
    "rms": ("RMSNormalization", 23),
}
FLOATS = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
}


class Layer:
    """One operator. A runtime's layer adds `run(model, feeds)`, which gives a list of outputs by numpy.

    Feeds are {name: (numpy array of float32 or float64, dtype's name)}: the runtime casts.
    """

    chosen = {
        "initial.mean": "the statistics are inputs of the operator; they began with 0",
        "initial.var": "the statistics are inputs of the operator; they began with 1",
    }  # what a finding of would be the adapter's word, not the framework's

    def __init__(self, kind, variant, channels, dtype, epsilon, momentum, groups, spatial):
        self.kind = kind
        self.operator, self.opset = OPERATORS.get(kind) or ("BatchNormalization", int(variant.split()[-1]))
        self.rank = 2 if "2-D" in variant else 4
        self.dtype = dtype
        self.kept_dtype = "float32" if kind == "batch" and self.opset == 15 else dtype
        self.arguments = defaults(self.operator, self.opset)
        self.given = {}
        if epsilon is not None:
            self.given["epsilon"] = epsilon
        if momentum is not None:
            self.given["momentum"] = momentum
        if kind == "group":
            self.given["num_groups"] = groups
        if kind == "layer" and self.rank == 4:
            self.given["axis"] = 1
        shape = (channels, *spatial) if kind == "layer" and self.rank == 4 else (channels,)
        self.parameters = {"scale": np.ones(shape, np.float32)}
        if kind != "rms":
            self.parameters["shift"] = np.zeros(shape, np.float32)
        self.mean, self.var = np.zeros(channels, np.float32), np.ones(channels, np.float32)

    def model(self, training):
        names, outputs, given = ["x", *self.parameters], ["y"], dict(self.given)
        kept = list(self.parameters)
        if self.kind == "batch":
            names += ["mean", "var"]
            kept += ["mean", "var"]
            if training and self.opset < 14:
                outputs += ["new mean", "new var", "saved mean", "saved var"]
            elif training:
                outputs += ["new mean", "new var"]
                given["training_mode"] = 1
        first, rest = FLOATS[self.dtype], FLOATS[self.kept_dtype]
        graph = helper.make_graph(
            [helper.make_node(self.operator, names, outputs, **given)],
            "norm",
            [helper.make_tensor_value_info("x", first, [None] * self.rank)]
            + [helper.make_tensor_value_info(name, rest, None) for name in kept],
            [helper.make_tensor_value_info("y", first, None)]
            + [helper.make_tensor_value_info(name, rest, None) for name in outputs[1:]],
        )
        imports = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=imports)
        model.ir_version = helper.find_min_ir_version_for(imports)
        return model

    def feeds(self, x):
        kept = dict(self.parameters)
        if self.kind == "batch":
            kept.update(mean=self.mean, var=self.var)
        feeds = {name: (value, self.kept_dtype) for name, value in kept.items()}
        feeds["x"] = (np.asarray(x), self.dtype)
        return feeds

    def train(self, x):
        found = self.run(self.model(True), self.feeds(x))
        if self.kind == "batch":
            self.mean, self.var = vector(found[1]), vector(found[2])
        return widen(found[0])

    def evaluate(self, x):
        return widen(self.run(self.model(False), self.feeds(x))[0])

    def backward(self, x, dy):
        raise Unsupported("An ONNX runtime has no gradients.")

    def running(self):
        return {"mean": self.mean, "var": self.var} if self.kind == "batch" else None

    def set_running(self, mean, var):
        self.mean, self.var = mean, var


def defaults(operator, opset):
    """{attribute: default} of the standard's schema."""
    attributes = onnx.defs.get_schema(operator, opset).attributes
    found = {}
    for name, attribute in attributes.items():
        value = attribute.default_value
        if value.type == onnx.AttributeProto.FLOAT:
            found[name] = float(str(np.float32(value.f)))  # the schema's own digits
        elif value.type == onnx.AttributeProto.INT:
            found[name] = value.i
    return found
