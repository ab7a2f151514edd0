"""Neural Network Libraries (nnabla) on its CPU back end: the parametric functions, each in a parameter scope."""

import itertools

import nnabla as nn
import nnabla.parametric_functions as parametric
import numpy as np
from layer_contract import Unsupported, arguments_of, given, to_canonical, to_channels_last, vector, widen
from nnabla.ext_utils import get_extension_context

FRAMEWORK = "nnabla"
VARIANTS = {
    "batch": {
        "NCHW": "batch_normalization on NCHW",
        "NHWC": "batch_normalization(axes=[3]) on NHWC",
        "2-D": "batch_normalization on (N, C)",
    },
    "layer": {
        "2-D": "layer_normalization on (N, C), over C",
        "NCHW": "layer_normalization on NCHW, over C, H, W",
        "channels": "layer_normalization(batch_axis=[0, 1, 2]) on NHWC, over C at each pixel",
    },
    "group": {
        "NCHW": "group_normalization on NCHW",
        "NHWC": "group_normalization(channel_axis=3) on NHWC",
    },
    "instance": {
        "NCHW": "instance_normalization on NCHW",
        "NHWC": "instance_normalization(channel_axis=3) on NHWC",
    },
}
FUNCTIONS = {
    "batch": parametric.batch_normalization,
    "layer": parametric.layer_normalization,
    "group": parametric.group_normalization,
    "instance": parametric.instance_normalization,
}
CONFIGURATIONS = {"float32": "float", "float16": "half"}
SCOPES = itertools.count()


def versions():
    return {"nnabla": nn.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None, batch=1):
    if dtype not in CONFIGURATIONS:
        raise Unsupported("nnabla has no bfloat16.")
    options = given(eps=epsilon, decay_rate=momentum, num_groups=groups)
    if variant == "NHWC":
        options["axes" if kind == "batch" else "channel_axis"] = [3] if kind == "batch" else 3
    if variant == "channels":
        options["batch_axis"] = [0, 1, 2]
    shape = (batch, channels) + tuple(spatial or ())
    return Layer(kind, options, CONFIGURATIONS[dtype], variant in ("NHWC", "channels"), shape)


class Layer(object):
    def __init__(self, kind, options, configuration, last, shape):
        self.kind, self.options, self.last = kind, options, last
        self.function = FUNCTIONS[kind]
        self.arguments = arguments_of(self.function)
        self.context = get_extension_context("cpu", type_config=configuration)
        self.scope = "layer%d" % next(SCOPES)
        # Parameters are made when a graph is built, before anything is computed.
        self.graph(np.zeros(shape), True)

    def graph(self, x, training):
        x = to_channels_last(x) if self.last else x
        variable = nn.Variable.from_numpy_array(x, need_grad=True)
        options = dict(self.options)
        if self.kind == "batch":
            options["batch_stat"] = training
        with nn.context_scope(self.context), nn.parameter_scope(self.scope):
            return variable, self.function(variable, **options)

    def leave(self, y):
        y = widen(y)
        return to_canonical(y) if self.last else y.copy()

    def train(self, x):
        _, y = self.graph(x, True)
        y.forward()
        return self.leave(y.d)

    def backward(self, x, dy):
        x, y = self.graph(x, True)
        y.forward()
        y.backward(to_channels_last(dy) if self.last else dy)
        return self.leave(x.g)

    def evaluate(self, x):
        _, y = self.graph(x, False)
        y.forward()
        return self.leave(y.d)

    def kept(self):
        with nn.parameter_scope(self.scope):
            return {name.rpartition("/")[2]: kept for name, kept in nn.get_parameters(grad_only=False).items()}

    def running(self):
        kept = self.kept()
        if "var" not in kept:
            return None
        return {"mean": vector(kept["mean"].d.copy()), "var": vector(kept["var"].d.copy())}

    def set_running(self, mean, var):
        kept = self.kept()
        kept["mean"].d = np.reshape(mean, kept["mean"].shape)
        kept["var"].d = np.reshape(var, kept["var"].shape)
