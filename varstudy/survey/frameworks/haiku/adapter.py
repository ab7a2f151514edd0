"""Haiku's modules on JAX's CPU back end, not jitted, differentiated by jax.vjp."""

import haiku as hk
import jax
import jax.numpy as jnp
from layer_contract import AdapterLayer, Unsupported, arguments_of, check_dtype, given, vector

FRAMEWORK = "haiku"
VARIANTS = {
    "batch": {
        "NHWC": "BatchNorm on NHWC; decay_rate has no default, and is 0.9 if not given",
        "NCHW": "BatchNorm(data_format='NC...') on NCHW; decay_rate as above",
        "2-D": "BatchNorm on (N, C); decay_rate as above",
    },
    "layer": {
        "2-D": "LayerNorm(axis=-1) on (N, C)",
        "2-D, fast variance": "LayerNorm(axis=-1, use_fast_variance=True) on (N, C)",
        "NHWC": "LayerNorm(axis=(1, 2, 3), param_axis=-1) on NHWC",
        "channels": "LayerNorm(axis=-1) on NHWC, over C at each pixel",
    },
    "group": {"NHWC": "GroupNorm on NHWC", "2-D": "GroupNorm on (N, C)"},
    "instance": {"NHWC": "InstanceNorm on NHWC"},
    "rms": {"2-D": "RMSNorm(axis=-1) on (N, C)"},
}
LAYERS = {
    "batch": hk.BatchNorm,
    "layer": hk.LayerNorm,
    "group": hk.GroupNorm,
    "instance": hk.InstanceNorm,
    "rms": hk.RMSNorm,
}
REQUIRED = {
    "batch": {"create_scale": True, "create_offset": True, "decay_rate": 0.9},
    "layer": {"axis": -1, "create_scale": True, "create_offset": True},
    "group": {},
    "instance": {"create_scale": True, "create_offset": True},
    "rms": {"axis": -1},
}
# What a finding of would be the adapter's word, not the framework's.
CHOSEN = {
    "momentum.default": "decay_rate has no default; 0.9 was handed over",
    "running.weight": "decay_rate has no default; 0.9 was handed over",
}


def versions():
    return {"dm-haiku": hk.__version__, "jax": jax.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    if dtype == "float64":
        raise Unsupported("JAX has float64 only where jax_enable_x64 is set.")
    options = dict(REQUIRED[kind], **given(eps=epsilon, decay_rate=momentum))
    if kind == "group":
        options["groups"] = groups
    if variant == "NCHW":
        options["data_format"] = "NC..."
    if kind == "layer" and variant == "NHWC":
        options.update(axis=(1, 2, 3), param_axis=-1)
    if "fast" in variant:
        options["use_fast_variance"] = True
    last = variant in ("NHWC", "channels")
    shape = (1, channels) if spatial is None else (1, *spatial, channels) if last else (1, channels, *spatial)
    return Layer(LAYERS[kind], options, shape, jnp.dtype(dtype), last)


class Layer(AdapterLayer):
    """Haiku makes scale, shift and statistics in the dtype of the input."""

    def __init__(self, make, options, shape, dtype, last):
        self.arguments = arguments_of(make)
        self.moves = make is hk.BatchNorm
        self.chosen = CHOSEN if self.moves else {}
        self.dtype = dtype
        self.last = last

        def call(x, *mode):
            return make(name="norm", **options)(x, *mode)

        self.module = hk.transform_with_state(call)
        zeros = jnp.zeros(shape, dtype)
        self.parameters, self.state = self.module.init(jax.random.key(0), zeros, *self.mode(True))

    def mode(self, training):
        return (training,) if self.moves else ()

    def tensor(self, x):
        return jnp.asarray(x, self.dtype)

    def array(self, y):
        check_dtype(y.dtype, self.dtype)
        return y

    def call(self, x, training=True):
        return self.module.apply(self.parameters, self.state, None, x, *self.mode(training))

    def train(self, x):
        y, self.state = self.call(self.enter(x))
        return self.leave(y)

    def backward(self, x, dy):
        _, pull, self.state = jax.vjp(self.call, self.enter(x), has_aux=True)
        return self.leave(pull(self.enter(dy))[0])

    def evaluate(self, x):
        return self.leave(self.call(self.enter(x), False)[0])

    def running(self):
        """The average, which evaluation reads, and the hidden sum that it is debiased from."""
        if not self.moves:
            return None
        mean, var = self.state["norm/~/mean_ema"], self.state["norm/~/var_ema"]
        return {
            "mean": vector(mean["average"]),
            "var": vector(var["average"]),
            "hidden_mean": vector(mean["hidden"]),
            "hidden_var": vector(var["hidden"]),
            "count": int(mean["counter"]),
        }

    def set_running(self, mean, var):
        for name, values in (("norm/~/mean_ema", mean), ("norm/~/var_ema", var)):
            kept = dict(self.state[name])
            kept["average"] = jnp.asarray(values, self.dtype).reshape(kept["average"].shape)
            self.state = dict(self.state, **{name: kept})
