"""Chainer on NumPy: its normalisation links, with the dtype of the parameters from `chainer.config.dtype`."""

import chainer
import numpy as np
from layer_contract import Unsupported, arguments_of, to_canonical, to_channels_last, vector, widen

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


class Layer(object):
    def __init__(self, kind, variant, channels, dtype, epsilon, momentum, groups):
        self.arguments = arguments_of(LINKS[kind])
        given = {"eps": epsilon, "decay": momentum, "groups": groups}
        given = {name: value for name, value in given.items() if value is not None}
        self.last = variant == "NHWC"
        if self.last:
            given["axis"] = (0, 1, 2)
        kept = chainer.mixed16 if variant == "mixed16" else np.dtype(dtype)
        with chainer.using_config("dtype", kept):
            self.net = LINKS[kind](size=channels, **given)

    def enter(self, x):
        return chainer.Variable(to_channels_last(x) if self.last else x.copy())

    def leave(self, y):
        return widen(to_canonical(y) if self.last else y)

    def train(self, x):
        with chainer.using_config("train", True):
            return self.leave(self.net(self.enter(x)).array)

    def backward(self, x, dy):
        x = self.enter(x)
        with chainer.using_config("train", True):
            y = self.net(x)
        y.grad = self.enter(dy).array
        y.backward()
        return self.leave(x.grad)

    def evaluate(self, x):
        with chainer.using_config("train", False):
            return self.leave(self.net(self.enter(x)).array)

    def running(self):
        if not hasattr(self.net, "avg_mean"):
            return None
        return {"mean": vector(self.net.avg_mean.copy()), "var": vector(self.net.avg_var.copy())}

    def set_running(self, mean, var):
        self.net.avg_mean[...] = mean
        self.net.avg_var[...] = var
