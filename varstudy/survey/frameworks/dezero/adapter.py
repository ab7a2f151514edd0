"""DeZero, the framework of the book "Deep Learning from Scratch 3": its one normalisation layer."""

import dezero
import numpy as np
from layer_contract import Unsupported, arguments_of, given, vector, widen

FRAMEWORK = "dezero"
VARIANTS = {"batch": {"NCHW": "layers.BatchNorm on NCHW", "2-D": "layers.BatchNorm on (N, C)"}}


def versions():
    return {"dezero": dezero.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    if dtype == "bfloat16":
        raise Unsupported("DeZero's arrays on the CPU are NumPy's, which has no bfloat16.")
    return Layer(variant, channels, dtype, epsilon, momentum)


class Layer(object):
    arguments = arguments_of(dezero.functions.batch_nrom)

    def __init__(self, variant, channels, dtype, epsilon, momentum):
        self.options = given(eps=epsilon, decay=momentum)
        self.net = dezero.layers.BatchNorm()
        # The layer makes its parameters in the dtype of its first input, which may be one for evaluation.
        with dezero.test_mode():
            self.net(np.zeros((1, channels) if variant == "2-D" else (1, channels, 1, 1), dtype))

    def call(self, x):
        """The layer itself; its function, which the layer hands no arguments, where there are some."""
        net = self.net
        if not self.options:
            return net(x)
        statistics = net.avg_mean.data, net.avg_var.data
        return dezero.functions.batch_nrom(x, net.gamma, net.beta, *statistics, **self.options)

    def train(self, x):
        return widen(self.call(x).data)

    def backward(self, x, dy):
        x = dezero.Variable(x)
        y = self.call(x)
        y.grad = dezero.Variable(dy)
        y.backward()
        return widen(x.grad.data)

    def evaluate(self, x):
        with dezero.test_mode():
            return widen(self.call(x).data)

    def running(self):
        return {"mean": vector(self.net.avg_mean.data.copy()), "var": vector(self.net.avg_var.data.copy())}

    def set_running(self, mean, var):
        self.net.avg_mean.data[...] = mean
        self.net.avg_var.data[...] = var
