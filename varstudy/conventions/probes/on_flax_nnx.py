"""Flax's nnx modules on JAX's CPU back end, not jitted, differentiated by jax.vjp."""

import flax
import jax
import jax.numpy as jnp
import numpy as np
from contract import Unsupported, arguments_of, to_canonical, to_channels_last, vector, widen
from flax import nnx

FRAMEWORK = "flax-nnx"
VARIANTS = {
    "batch": {
        "NHWC": "BatchNorm on NHWC",
        "NHWC, slow variance": "BatchNorm(use_fast_variance=False) on NHWC",
        "NCHW": "BatchNorm(axis=1) on NCHW",
        "2-D": "BatchNorm on (N, C)",
    },
    "layer": {
        "2-D": "LayerNorm on (N, C), over C",
        "NHWC": "LayerNorm(reduction_axes=(1, 2, 3)) on NHWC",
        "channels": "LayerNorm on NHWC, over C at each pixel",
    },
    "group": {"NHWC": "GroupNorm on NHWC", "2-D": "GroupNorm on (N, C)"},
    "instance": {"NHWC": "InstanceNorm on NHWC"},
    "rms": {"2-D": "RMSNorm on (N, C), over C"},
}
LAYERS = {
    "batch": nnx.BatchNorm,
    "layer": nnx.LayerNorm,
    "group": nnx.GroupNorm,
    "instance": nnx.InstanceNorm,
    "rms": nnx.RMSNorm,
}


def versions():
    return {"flax": flax.__version__, "jax": jax.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    if dtype == "float64":
        raise Unsupported("JAX has float64 only where jax_enable_x64 is set.")
    given = {"dtype": jnp.dtype(dtype), "rngs": nnx.Rngs(0)}
    if epsilon is not None:
        given["epsilon"] = epsilon
    if momentum is not None:
        given["momentum"] = momentum
    if kind == "group":
        given["num_groups"] = groups
    if variant == "NCHW":
        given["axis"] = 1
    if kind == "layer" and variant == "NHWC":
        given["reduction_axes"] = (1, 2, 3)
    if "slow" in variant:
        given["use_fast_variance"] = False
    return Layer(LAYERS[kind](channels, **given), variant.startswith(("NHWC", "channels")))


class Layer:
    def __init__(self, module, last):
        self.arguments = arguments_of(type(module).__init__)
        self.module = module
        self.last = last
        self.moves = isinstance(module, nnx.BatchNorm)

    def mode(self, training):
        return {"use_running_average": not training} if self.moves else {}

    def tensor(self, x):
        return jnp.asarray(to_channels_last(np.asarray(x)) if self.last else np.asarray(x), self.module.dtype)

    def array(self, y):
        if y.dtype != self.module.dtype:
            raise TypeError(f"{self.module.dtype} went in and {y.dtype} came out")
        y = widen(y)
        return to_canonical(y) if self.last else y

    def train(self, x):
        return self.array(self.module(self.tensor(x), **self.mode(True)))

    def backward(self, x, dy):
        graph, state = nnx.split(self.module)

        def call(x, state):  # the state goes in and out: a module made outside may not be moved inside
            module = nnx.merge(graph, state)
            return module(x, **self.mode(True)), nnx.state(module)

        _, pull, moved = jax.vjp(call, self.tensor(x), state, has_aux=True)
        nnx.update(self.module, moved)
        return self.array(pull(self.tensor(dy))[0])

    def evaluate(self, x):
        return self.array(self.module(self.tensor(x), **self.mode(False)))

    def running(self):
        if not self.moves:
            return None
        return {"mean": vector(self.module.mean[...]), "var": vector(self.module.var[...])}

    def set_running(self, mean, var):
        self.module.mean[...] = jnp.asarray(mean)
        self.module.var[...] = jnp.asarray(var)
