"""Keras 3 on the back end that KERAS_BACKEND names (tensorflow, torch, jax or numpy), called eagerly."""

import importlib

import keras
import numpy as np
from contract import Unsupported, arguments_of, to_canonical, to_channels_last, vector, widen

BACKEND = keras.backend.backend()
FRAMEWORK = "keras-" + BACKEND
VARIANTS = {
    "batch": {
        "NHWC": "BatchNormalization(axis=-1) on NHWC",
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
    "rms": {"2-D": "RMSNormalization on (N, C), over C"},
}
if BACKEND == "tensorflow":  # the other back ends refuse it
    VARIANTS["batch"]["NHWC, synchronized"] = "BatchNormalization(synchronized=True) on NHWC, without a strategy"
LAYERS = {
    "batch": keras.layers.BatchNormalization,
    "layer": keras.layers.LayerNormalization,
    "group": keras.layers.GroupNormalization,
    "instance": keras.layers.GroupNormalization,
    "rms": keras.layers.RMSNormalization,
}


def versions():
    below = importlib.import_module(BACKEND)
    return {"keras": keras.__version__, BACKEND: below.__version__}


def set_threads(n):
    below = importlib.import_module(BACKEND)
    if BACKEND == "torch":
        below.set_num_threads(n)
    elif BACKEND == "tensorflow":
        below.config.threading.set_intra_op_parallelism_threads(n)
        below.config.threading.set_inter_op_parallelism_threads(1)


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
        self.dtype = dtype
        self.last = last

    def tensor(self, x):
        x = to_channels_last(np.asarray(x)) if self.last else np.asarray(x)
        return keras.ops.cast(keras.ops.convert_to_tensor(x), self.dtype)

    def array(self, y):
        found = keras.backend.standardize_dtype(y.dtype)
        if found != self.dtype:
            raise TypeError(f"{self.dtype} went in and {found} came out")
        y = widen(keras.ops.convert_to_numpy(keras.ops.cast(y, "float64" if found == "float64" else "float32")))
        return to_canonical(y) if self.last else y

    def train(self, x):
        return self.array(self.net(self.tensor(x), **self.mode(True)))

    def evaluate(self, x):
        return self.array(self.net(self.tensor(x), **self.mode(False)))

    def mode(self, training):
        return {"training": training} if isinstance(self.net, keras.layers.BatchNormalization) else {}

    def backward(self, x, dy):
        x, dy = self.tensor(x), self.tensor(dy)
        if BACKEND == "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape:
                tape.watch(x)
                y = self.net(x, **self.mode(True))
            return self.array(tape.gradient(y, x, output_gradients=dy))
        if BACKEND == "torch":
            x = x.detach().requires_grad_(True)
            self.net(x, **self.mode(True)).backward(dy)
            return self.array(x.grad)
        if BACKEND == "jax":
            import jax

            trained = [v.value for v in self.net.trainable_variables]
            kept = [v.value for v in self.net.non_trainable_variables]
            _, pull, moved = jax.vjp(
                lambda x: self.net.stateless_call(trained, kept, x, **self.mode(True)), x, has_aux=True
            )
            for variable, value in zip(self.net.non_trainable_variables, moved, strict=True):
                variable.assign(value)
            return self.array(pull(dy)[0])
        raise Unsupported(f"Keras has no gradients on its {BACKEND} back end.")

    def running(self):
        if not isinstance(self.net, keras.layers.BatchNormalization):
            return None
        kept = {"mean": self.net.moving_mean, "var": self.net.moving_variance}
        return {name: vector(keras.ops.convert_to_numpy(value.value)) for name, value in kept.items()}

    def set_running(self, mean, var):
        self.net.moving_mean.assign(mean)
        self.net.moving_variance.assign(var)
