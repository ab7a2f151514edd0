"""tf_keras, the Keras 2 that goes on beside Keras 3: its layers on TensorFlow, called eagerly."""

import numpy as np
import tensorflow as tf
import tf_keras
from contract import arguments_of, to_canonical, to_channels_last, vector, widen

FRAMEWORK = "tf_keras"
VARIANTS = {
    "batch": {
        "NHWC": "BatchNormalization(axis=-1) on NHWC, which takes the fused kernel",
        "NHWC, not fused": "BatchNormalization(axis=-1, fused=False) on NHWC",
        "NHWC, synchronized": "BatchNormalization(synchronized=True) on NHWC, without a strategy",
        "NCHW": "BatchNormalization(axis=1) on NCHW",
        "2-D": "BatchNormalization on (N, C)",
    },
    "layer": {
        "2-D": "LayerNormalization on (N, C), over C",
        "NHWC": "LayerNormalization(axis=(1, 2, 3)) on NHWC",
        "channels": "LayerNormalization on NHWC, over C at each pixel",
    },
    "group": {
        "NHWC": "GroupNormalization(axis=-1) on NHWC",
        "NCHW": "GroupNormalization(axis=1) on NCHW",
        "2-D": "GroupNormalization on (N, C)",
    },
    "instance": {"NHWC": "GroupNormalization(groups=-1) on NHWC: a group for each channel"},
}
LAYERS = {
    "batch": tf_keras.layers.BatchNormalization,
    "layer": tf_keras.layers.LayerNormalization,
    "group": tf_keras.layers.GroupNormalization,
    "instance": tf_keras.layers.GroupNormalization,
}


def versions():
    return {"tf_keras": tf_keras.__version__, "tensorflow": tf.__version__}


def set_threads(n):
    tf.config.threading.set_intra_op_parallelism_threads(n)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    given = {"dtype": dtype}
    if epsilon is not None:
        given["epsilon"] = epsilon
    if momentum is not None:
        given["momentum"] = momentum
    if kind == "group":
        given["groups"] = groups
    elif kind == "instance":
        given["groups"] = -1
    if variant == "NCHW":
        given["axis"] = 1
    elif kind == "layer" and variant == "NHWC":
        given["axis"] = (1, 2, 3)
    if "not fused" in variant:
        given["fused"] = False
    if "synchronized" in variant:
        given["synchronized"] = True
    last = variant.startswith(("NHWC", "channels"))
    shape = (None, channels) if spatial is None else (None, *spatial, channels) if last else (None, channels, *spatial)
    net = LAYERS[kind](**given)
    net.build(shape)
    return Layer(net, dtype, last)


class Layer:
    def __init__(self, net, dtype, last):
        self.arguments = arguments_of(type(net))
        self.net = net
        self.dtype = tf.as_dtype(dtype)
        self.last = last
        self.moves = isinstance(net, tf_keras.layers.BatchNormalization)

    def tensor(self, x):
        x = to_channels_last(np.asarray(x)) if self.last else np.asarray(x)
        return tf.cast(tf.convert_to_tensor(x), self.dtype)

    def array(self, y):
        if y.dtype != self.dtype:
            raise TypeError(f"{self.dtype.name} went in and {y.dtype.name} came out")
        y = widen(y.numpy())
        return to_canonical(y) if self.last else y

    def call(self, x, training):
        return self.net(x, training=training) if self.moves else self.net(x)

    def train(self, x):
        return self.array(self.call(self.tensor(x), True))

    def evaluate(self, x):
        return self.array(self.call(self.tensor(x), False))

    def backward(self, x, dy):
        x = self.tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = self.call(x, True)
        return self.array(tape.gradient(y, x, output_gradients=self.tensor(dy)))

    def running(self):
        if not self.moves:
            return None
        return {"mean": vector(self.net.moving_mean.numpy()), "var": vector(self.net.moving_variance.numpy())}

    def set_running(self, mean, var):
        self.net.moving_mean.assign(mean)
        self.net.moving_variance.assign(var)
