"""Theano: theano.tensor.nnet.bn, whose training function returns the new statistics for the caller to keep."""

import numpy as np
import theano
from layer_contract import Unsupported, arguments_of, to_canonical, to_channels_last, vector, widen
from theano.tensor.nnet import bn

FRAMEWORK = "theano"
VARIANTS = {
    "batch": {
        "NCHW": "batch_normalization_train(axes='spatial') on NCHW",
        "NHWC": "batch_normalization_train(axes=(0, 1, 2)) on NHWC",
        "2-D": "batch_normalization_train(axes='per-activation') on (N, C)",
    }
}
AXES = {"NCHW": "spatial", "NHWC": (0, 1, 2), "2-D": "per-activation"}


def versions():
    return {"theano": theano.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    if dtype == "bfloat16":
        raise Unsupported("Theano has no bfloat16.")
    return Layer(variant, channels, dtype, epsilon, momentum)


class Layer(object):
    arguments = arguments_of(bn.batch_normalization_train)

    def __init__(self, variant, channels, dtype, epsilon, momentum):
        self.dtype, self.last = dtype, variant == "NHWC"
        self.mean, self.var, beta, gamma = (theano.shared(np.full(channels, v, dtype)) for v in (0, 1, 0, 1))
        tensor = theano.tensor.TensorType(dtype, (False,) * (2 if variant == "2-D" else 4))
        self.x, self.dy = tensor("x"), tensor("dy")
        common = {"axes": AXES[variant]}
        if epsilon is not None:
            common["epsilon"] = epsilon
        given = dict(common, running_mean=self.mean, running_var=self.var)
        if momentum is not None:
            given["running_average_factor"] = momentum
        with theano.change_flags(floatX=dtype):
            trained = bn.batch_normalization_train(self.x, gamma, beta, **given)
            self.tested = bn.batch_normalization_test(self.x, gamma, beta, self.mean, self.var, **common)
            self.y = trained[0]
            self.moves = [(self.mean, trained[3]), (self.var, trained[4])]
            self.dx = theano.grad((self.y * self.dy).sum(), self.x)

    def run(self, inputs, output, values, updates=()):
        with theano.change_flags(floatX=self.dtype):
            function = theano.function(inputs, output, updates=list(updates))
            y = widen(function(*(to_channels_last(x) if self.last else x for x in values)))
        return to_canonical(y) if self.last else y

    def train(self, x):
        return self.run([self.x], self.y, [x], self.moves)

    def backward(self, x, dy):
        return self.run([self.x, self.dy], self.dx, [x, dy], self.moves)

    def evaluate(self, x):
        return self.run([self.x], self.tested, [x])

    def running(self):
        return {"mean": vector(self.mean.get_value()), "var": vector(self.var.get_value())}

    def set_running(self, mean, var):
        self.mean.set_value(mean.astype(self.dtype))
        self.var.set_value(var.astype(self.dtype))
