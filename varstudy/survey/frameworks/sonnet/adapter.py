"""Sonnet 2 on TensorFlow's CPU kernels, eagerly."""

import numpy as np
import sonnet as snt
import tensorflow as tf
from layer_contract import AdapterLayer, arguments_of, given, vector

FRAMEWORK = "sonnet"
VARIANTS = {
    "batch": {
        "NHWC": "BatchNorm on NHWC, by TensorFlow's fused kernel",
        "NCHW": "BatchNorm(data_format='channels_first') on NCHW, by moments",
        "2-D": "BatchNorm on (N, C), by moments",
    },
    "layer": {
        "2-D": "LayerNorm(axis=-1) on (N, C)",
        "NCHW": "LayerNorm(axis=slice(1, None)) on NCHW, over C, H, W",
        "channels": "LayerNorm(axis=-1) on NHWC, over C at each pixel",
    },
    "group": {
        "NHWC": "GroupNorm on NHWC",
        "NCHW": "GroupNorm(data_format='channels_first') on NCHW",
    },
    "instance": {
        "NHWC": "InstanceNorm on NHWC",
        "NCHW": "InstanceNorm(data_format='channels_first') on NCHW",
    },
}
MODULES = {"batch": snt.BatchNorm, "layer": snt.LayerNorm, "group": snt.GroupNorm, "instance": snt.InstanceNorm}


def versions():
    return {"sonnet": snt.__version__, "tensorflow": tf.__version__}


def set_threads(n):
    tf.config.threading.set_intra_op_parallelism_threads(n)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None, batch=1):
    options = given(eps=epsilon, decay_rate=momentum, groups=groups)
    if kind == "layer":
        options["axis"] = slice(1, None) if variant == "NCHW" else -1
    if variant == "NCHW":
        options["data_format"] = "channels_first"
    shape = (batch, channels) + tuple(spatial or ())
    return Layer(kind, options, dtype, variant in ("NHWC", "channels"), shape)


class Layer(AdapterLayer):
    def __init__(self, kind, options, dtype, last, shape):
        self.kind, self.dtype, self.last = kind, dtype, last
        self.arguments = arguments_of(MODULES[kind].__init__)
        self.net = MODULES[kind](create_scale=True, create_offset=True, **options)
        if kind == "batch":  # the first call makes the variables, whichever it is
            self.call(self.enter(np.zeros(shape)), False)

    def tensor(self, x):
        return tf.cast(x, self.dtype)

    def array(self, y):
        return tf.cast(y, "float32").numpy()

    def call(self, x, training):
        return self.net(x, is_training=training) if self.kind == "batch" else self.net(x)

    def backward(self, x, dy):
        x = self.enter(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = self.call(x, True)
        return self.leave(tape.gradient(y, x, self.enter(dy)))

    def running(self):
        if self.kind != "batch":
            return None
        averages = {"mean": self.net.moving_mean, "var": self.net.moving_variance}
        kept = {name: vector(one.average.numpy()) for name, one in averages.items()}
        kept.update({"hidden_" + name: vector(one._hidden.numpy()) for name, one in averages.items()})
        kept["count"] = int(self.net.moving_variance._counter.numpy())
        return kept

    def set_running(self, mean, var):
        for one, values in ((self.net.moving_mean, mean), (self.net.moving_variance, var)):
            one.average.assign(tf.cast(np.reshape(values, one.average.shape), self.dtype))
