"""CNTK 2.7 on the processor: cntk.layers in training mode, which is a forward pass whose results are kept for backward.

`momentum` is handed over as normalization_time_constant, the argument in its place.
"""

import cntk
import numpy as np
from layer_contract import Unsupported, arguments_of, given, vector, widen

FRAMEWORK = "cntk"
VARIANTS = {
    "batch": {
        "NCHW": "layers.BatchNormalization(map_rank=1) on NCHW",
        "2-D": "layers.BatchNormalization() on (N, C)",
    },
    "layer": {
        "2-D": "layers.LayerNormalization() on (N, C), over C",
        "NCHW": "layers.LayerNormalization() on NCHW, over C, H, W",
    },
}
DTYPES = {"float32": np.float32, "float16": np.float16}


def versions():
    return {"cntk": cntk.__version__}


def set_threads(n):
    cntk.cntk_py.set_max_num_cputhreads(n)


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    if dtype not in DTYPES:
        raise Unsupported("CNTK has no %s." % dtype)
    options = given(epsilon=epsilon, normalization_time_constant=momentum)
    if kind == "layer" and momentum is not None:
        raise Unsupported("LayerNormalization has no time constant.")
    if kind == "batch" and spatial is not None:
        options["map_rank"] = 1
    shape = (channels,)
    if spatial is not None:  # batches of one layer may differ in height and width
        shape += (cntk.FreeDimension,) * 2 if kind == "batch" else tuple(spatial)
    return Layer(kind, shape, DTYPES[dtype], options)


class Layer:
    def __init__(self, kind, shape, dtype, options):
        make = cntk.layers.BatchNormalization if kind == "batch" else cntk.layers.LayerNormalization
        self.arguments = arguments_of(make, cntk.ops.batch_normalization) if kind == "batch" else {}
        self.dtype = dtype
        with cntk.default_options(dtype=dtype):
            self.x = cntk.input_variable(shape, dtype=dtype, needs_gradient=True)
            self.function = make(**options)(self.x)
        self.kept = {each.name: each for each in self.function.constants}

    def forward(self, x, keep):
        x = np.ascontiguousarray(x, self.dtype)
        return self.function.forward({self.x: x}, keep_for_backward=keep)

    def leave(self, outputs):
        return widen(outputs[self.function.output])

    def train(self, x):
        return self.leave(self.forward(x, set(self.function.outputs))[1])

    def backward(self, x, dy):
        state, _ = self.forward(x, set(self.function.outputs))
        dy = np.ascontiguousarray(dy, self.dtype)
        gradients = self.function.backward(state, {self.function.output: dy}, {self.x})
        return widen(gradients[self.x])

    def evaluate(self, x):
        return self.leave(self.forward(x, None)[1])

    def running(self):
        if "aggregate_mean" not in self.kept:
            return None
        keys = {"mean": "aggregate_mean", "var": "aggregate_variance", "count": "aggregate_count"}
        return {key: vector(self.kept[name].value) for key, name in keys.items()}

    def set_running(self, mean, var):
        for name, values in (("aggregate_mean", mean), ("aggregate_variance", var)):
            self.kept[name].value = values.reshape(self.kept[name].shape)
