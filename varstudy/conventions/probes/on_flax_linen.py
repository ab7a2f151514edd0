"""Flax's linen modules on JAX's CPU back end, not jitted, differentiated by jax.vjp."""

import flax
import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
from contract import Unsupported, arguments_of, to_canonical, to_channels_last, vector, widen

FRAMEWORK = "flax-linen"
VARIANTS = {
    "batch": {
        "NHWC": "BatchNorm on NHWC",
        "NHWC, slow variance": "BatchNorm(use_fast_variance=False) on NHWC",
        "NCHW": "BatchNorm(axis=1) on NCHW",
        "2-D": "BatchNorm on (N, C)",
    },
    "layer": {
        "2-D": "LayerNorm on (N, C), over C",
        "2-D, slow variance": "LayerNorm(use_fast_variance=False) on (N, C), over C",
        "NHWC": "LayerNorm(reduction_axes=(1, 2, 3)) on NHWC",
        "channels": "LayerNorm on NHWC, over C at each pixel",
    },
    "group": {"NHWC": "GroupNorm on NHWC", "2-D": "GroupNorm on (N, C)"},
    "instance": {"NHWC": "InstanceNorm on NHWC"},
    "rms": {"2-D": "RMSNorm on (N, C), over C"},
}
LAYERS = {
    "batch": flax.linen.BatchNorm,
    "layer": flax.linen.LayerNorm,
    "group": flax.linen.GroupNorm,
    "instance": flax.linen.InstanceNorm,
    "rms": flax.linen.RMSNorm,
}


def versions():
    return {"flax": flax.__version__, "jax": jax.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    if dtype == "float64":
        raise Unsupported("JAX has float64 only where jax_enable_x64 is set.")
    given = {"dtype": jnp.dtype(dtype)}
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
    last = variant.startswith(("NHWC", "channels"))
    shape = (1, channels) if spatial is None else (1, *spatial, channels) if last else (1, channels, *spatial)
    return Layer(LAYERS[kind](**given), shape, last)


class Layer:
    def __init__(self, module, shape, last):
        self.arguments = arguments_of(type(module))
        self.module = module
        self.last = last
        self.moves = isinstance(module, flax.linen.BatchNorm)
        self.kept = dict(module.init(jax.random.key(0), jnp.zeros(shape, module.dtype), **self.mode(True)))

    def mode(self, training):
        return {"use_running_average": not training} if self.moves else {}

    def tensor(self, x):
        return jnp.asarray(to_channels_last(np.asarray(x)) if self.last else np.asarray(x), self.module.dtype)

    def array(self, y):
        if y.dtype != self.module.dtype:
            raise TypeError(f"{self.module.dtype} went in and {y.dtype} came out")
        y = widen(y)
        return to_canonical(y) if self.last else y

    def call(self, x):
        return self.module.apply(self.kept, x, mutable=["batch_stats"], **self.mode(True))

    def train(self, x):
        y, moved = self.call(self.tensor(x))
        self.kept.update(moved)
        return self.array(y)

    def backward(self, x, dy):
        _, pull, moved = jax.vjp(self.call, self.tensor(x), has_aux=True)
        self.kept.update(moved)
        return self.array(pull(self.tensor(dy))[0])

    def evaluate(self, x):
        return self.array(self.module.apply(self.kept, self.tensor(x), **self.mode(False)))

    def running(self):
        if not self.moves:
            return None
        return {name: vector(self.kept["batch_stats"][name]) for name in ("mean", "var")}

    def set_running(self, mean, var):
        self.kept["batch_stats"] = {"mean": jnp.asarray(mean), "var": jnp.asarray(var)}
