"""Chainer on NumPy: its normalisation links, with the dtype of the parameters from `chainer.config.dtype`."""

import chainer
import numpy as np
from layer_contract import AdapterLayer, Unsupported, arguments_of, given, vector

FRAMEWORK = "chainer"
VARIANTS = {
    "batch": {
        "NCHW": "links.BatchNormalization on NCHW",
        "NHWC": "links.BatchNormalization(axis=(0, 1, 2)) on NHWC",
        "2-D": "links.BatchNormalization on (N, C)",
        "mixed16": "links.BatchNormalization on NCHW; float16 data have float32 parameters and statistics",
    },
    "layer": {"2-D": "links.LayerNormalization on (N, C), over C"},
    "group": {"NCHW": "links.GroupNormalization on NCHW"},
}
LINKS = {
    "batch": chainer.links.BatchNormalization,
    "layer": chainer.links.LayerNormalization,
    "group": chainer.links.GroupNormalization,
}


def versions():
    return {"chainer": chainer.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    if dtype == "bfloat16":
        raise Unsupported("Chainer's arrays on the CPU are NumPy's, which has no bfloat16.")
    return Layer(kind, variant, channels, dtype, epsilon, momentum, groups)


class Layer(AdapterLayer):
    def __init__(self, kind, variant, channels, dtype, epsilon, momentum, groups):
        self.arguments = arguments_of(LINKS[kind])
        options = given(eps=epsilon, decay=momentum, groups=groups)
        self.last = variant == "NHWC"
        if self.last:
            options["axis"] = (0, 1, 2)
        kept = chainer.mixed16 if variant == "mixed16" else np.dtype(dtype)
        with chainer.using_config("dtype", kept):
            self.net = LINKS[kind](size=channels, **options)

    def tensor(self, x):
        return chainer.Variable(x.copy())

    def array(self, y):
        return y.array

    def call(self, x, training):
        with chainer.using_config("train", training):
            return self.net(x)

    def backward(self, x, dy):
        x = self.enter(x)
        y = self.call(x, True)
        y.grad = self.enter(dy).array
        y.backward()
        return self.leave(x.grad_var)

    def running(self):
        if not hasattr(self.net, "avg_mean"):
            return None
        return {"mean": vector(self.net.avg_mean.copy()), "var": vector(self.net.avg_var.copy())}

    def set_running(self, mean, var):
        self.net.avg_mean[...] = mean
        self.net.avg_var[...] = var
