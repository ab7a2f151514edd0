"""Keras 2.3.1, the last of many back ends, on Theano: its batch normalisation, run as a model's functions run it."""

import os

os.environ["KERAS_BACKEND"] = "theano"  # read when Keras is imported

import keras
import theano
from layer_contract import Unsupported, arguments_of, given, to_canonical, to_channels_last, vector, widen
from keras import backend

FRAMEWORK = "keras2-theano"
VARIANTS = {
    "batch": {
        "NHWC": "BatchNormalization on NHWC",
        "NCHW": "BatchNormalization(axis=1) on NCHW",
        "2-D": "BatchNormalization on (N, C)",
    }
}


def versions():
    return {"keras": keras.__version__, "theano": theano.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    if dtype == "bfloat16":
        raise Unsupported("Theano has no bfloat16.")
    return Layer(variant, channels, dtype, epsilon, momentum)


class Layer(object):
    arguments = arguments_of(keras.layers.BatchNormalization)

    def __init__(self, variant, channels, dtype, epsilon, momentum):
        options = given(epsilon=epsilon, momentum=momentum, axis=1 if variant == "NCHW" else None)
        self.dtype, self.last = dtype, variant == "NHWC"
        shapes = {"NHWC": (None, None, channels), "NCHW": (channels, None, None), "2-D": (channels,)}
        with self.floats():
            self.x = keras.layers.Input(shapes[variant])
            self.net = keras.layers.BatchNormalization(**options)
            self.y = self.net(self.x)
            self.dy = backend.placeholder(ndim=backend.ndim(self.x))
            self.dx = backend.gradients(backend.sum(self.y * self.dy), [self.x])[0]

    def floats(self):
        """The dtype of new variables and of all that is computed: Keras's floatx, and Theano's too."""
        backend.set_floatx(self.dtype)
        return theano.change_flags(floatX=self.dtype)

    def run(self, inputs, output, values, training):
        with self.floats():
            updates = self.net.updates if training else []
            function = backend.function(inputs + [backend.learning_phase()], [output], updates=updates)
            values = [to_channels_last(x) if self.last else x for x in values]
            y = widen(function(values + [int(training)])[0])
        return to_canonical(y) if self.last else y

    def train(self, x):
        return self.run([self.x], self.y, [x], True)

    def backward(self, x, dy):
        return self.run([self.x, self.dy], self.dx, [x, dy], True)

    def evaluate(self, x):
        return self.run([self.x], self.y, [x], False)

    def running(self):
        kept = {"mean": self.net.moving_mean, "var": self.net.moving_variance}
        return {name: vector(backend.get_value(value)) for name, value in kept.items()}

    def set_running(self, mean, var):
        backend.set_value(self.net.moving_mean, mean)
        backend.set_value(self.net.moving_variance, var)
