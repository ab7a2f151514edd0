"""Keras 3 on the back end that KERAS_BACKEND names (tensorflow, torch, jax or numpy), called eagerly."""

import importlib

import keras
import keras_layers
from layer_contract import Unsupported

BACKEND = keras.backend.backend()
FRAMEWORK = "keras-" + BACKEND
VARIANTS = {
    "batch": {
        "NHWC": "BatchNormalization(axis=-1) on NHWC",
        "NCHW": "BatchNormalization(axis=1) on NCHW",
        "2-D": "BatchNormalization on (N, C)",
    },
    **keras_layers.VARIANTS,
    "rms": {"2-D": "RMSNormalization on (N, C), over C"},
}
if BACKEND == "tensorflow":  # the other back ends refuse it
    VARIANTS["batch"]["NHWC, synchronized"] = "BatchNormalization(synchronized=True) on NHWC, without a strategy"


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
    net, last = keras_layers.built(keras.layers, kind, variant, channels, dtype, epsilon, momentum, groups, spatial)
    return Layer(kind, net, dtype, last)


class Layer(keras_layers.Layer):
    def tensor(self, x):
        return keras.ops.cast(keras.ops.convert_to_tensor(x), self.dtype)

    def named(self, y):
        return keras.backend.standardize_dtype(y.dtype)

    def numpy(self, y):
        return keras.ops.convert_to_numpy(keras.ops.cast(y, "float64" if self.named(y) == "float64" else "float32"))

    def value_of(self, variable):
        return keras.ops.convert_to_numpy(variable.value)

    def backward(self, x, dy):
        if BACKEND == "tensorflow":
            return self.taped(importlib.import_module(BACKEND), x, dy)
        x, dy = self.enter(x), self.enter(dy)
        if BACKEND == "torch":
            x = x.detach().requires_grad_(True)
            self.net(x, **self.mode(True)).backward(dy)
            return self.leave(x.grad)
        if BACKEND == "jax":
            import jax

            trained = [v.value for v in self.net.trainable_variables]
            kept = [v.value for v in self.net.non_trainable_variables]
            _, pull, moved = jax.vjp(
                lambda x: self.net.stateless_call(trained, kept, x, **self.mode(True)), x, has_aux=True
            )
            for variable, value in zip(self.net.non_trainable_variables, moved, strict=True):
                variable.assign(value)
            return self.leave(pull(dy)[0])
        raise Unsupported(f"Keras has no gradients on its {BACKEND} back end.")
