"""Equinox's modules on JAX's CPU back end, mapped over the batch by jax.vmap, not jitted."""

import equinox as eqx
import jax
import jax.numpy as jnp
from layer_contract import AdapterLayer, Unsupported, arguments_of, check_dtype, given, vector

FRAMEWORK = "equinox"
VARIANTS = {
    "batch": {
        "batch": "BatchNorm(mode='batch') on NCHW",
        "ema": "BatchNorm(mode='ema') on NCHW; this is what an unspecified mode means",
        "batch, 2-D": "BatchNorm(mode='batch') on (N, C)",
        "ema, 2-D": "BatchNorm(mode='ema') on (N, C)",
    },
    "layer": {
        "2-D": "LayerNorm(C) on (N, C)",
        "NCHW": "LayerNorm((C, H, W)) on NCHW",
        "channels": "LayerNorm(C) on NHWC, mapped over every pixel",
    },
    "group": {"NCHW": "GroupNorm on NCHW", "2-D": "GroupNorm on (N, C)"},
    "instance": {"NCHW": "GroupNorm(groups=channels) on NCHW: a group for each channel"},
    "rms": {"2-D": "RMSNorm(C) on (N, C)"},
}


def versions():
    return {"equinox": eqx.__version__, "jax": jax.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    if dtype == "float64":
        raise Unsupported("JAX has float64 only where jax_enable_x64 is set.")
    options = given(dtype=jnp.dtype(dtype), eps=epsilon, momentum=momentum)
    if kind == "batch":
        mode = variant.partition(",")[0]
        return Batch(eqx.nn.make_with_state(eqx.nn.BatchNorm)(channels, axis_name="batch", mode=mode, **options))
    if kind == "layer":
        made = eqx.nn.LayerNorm((channels, *spatial) if variant == "NCHW" else channels, **options)
    elif kind == "rms":
        made = eqx.nn.RMSNorm(channels, **options)
    else:
        made = eqx.nn.GroupNorm(groups if kind == "group" else channels, channels, **options)
    return Stateless(made, variant == "channels")


class Layer(AdapterLayer):
    def tensor(self, x):
        return jnp.asarray(x, self.module.weight.dtype)

    def array(self, y):
        check_dtype(y.dtype, self.module.weight.dtype)
        return y


class Stateless(Layer):
    def __init__(self, module, last):
        self.arguments = arguments_of(type(module))
        self.module = module
        self.last = last

    def call(self, x, training=True):
        one = jax.vmap(jax.vmap(self.module)) if self.last else self.module
        return jax.vmap(one)(x)

    def backward(self, x, dy):
        return self.leave(jax.vjp(self.call, self.enter(x))[1](self.enter(dy))[0])


class Batch(Layer):
    arguments = arguments_of(eqx.nn.BatchNorm)

    def __init__(self, made):
        self.module, self.state = made

    def call(self, x, inference=False):
        def one(x, state):
            return self.module(x, state, inference=inference)

        # A state may be used once only; a copy of it is used here, so that this one can still be read.
        copy = jax.tree_util.tree_map(lambda leaf: leaf, self.state)
        return jax.vmap(one, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, copy)

    def train(self, x):
        y, self.state = self.call(self.enter(x))
        return self.leave(y)

    def backward(self, x, dy):
        _, pull, self.state = jax.vjp(self.call, self.enter(x), has_aux=True)
        return self.leave(pull(self.enter(dy))[0])

    def evaluate(self, x):
        return self.leave(self.call(self.enter(x), inference=True)[0])

    def running(self):
        """What is kept: in mode 'batch' evaluation divides it by 1 - momentum**count."""
        if self.module.mode == "ema":
            mean, var = self.state.get(self.module.ema_state_index)
            return {"mean": vector(mean), "var": vector(var)}
        mean, var = self.state.get(self.module.batch_state_index)
        return {"mean": vector(mean), "var": vector(var), "count": int(self.state.get(self.module.batch_counter))}

    def set_running(self, mean, var):
        index = self.module.ema_state_index if self.module.mode == "ema" else self.module.batch_state_index
        self.state = self.state.set(index, (jnp.asarray(mean), jnp.asarray(var)))
