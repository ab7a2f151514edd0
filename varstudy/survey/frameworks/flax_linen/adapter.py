"""Flax's linen modules on JAX's CPU back end, not jitted, differentiated by jax.vjp."""

import flax
import flax.linen
import flax_modules
import jax
import jax.numpy as jnp
from layer_contract import arguments_of, vector

FRAMEWORK = "flax-linen"
VARIANTS = flax_modules.variants(
    layer={"2-D, slow variance": "LayerNorm(use_fast_variance=False) on (N, C), over C"},
)


def versions():
    return {"flax": flax.__version__, "jax": jax.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    given, last = flax_modules.arguments(kind, variant, dtype, epsilon, momentum, groups)
    shape = (1, channels) if spatial is None else (1, *spatial, channels) if last else (1, channels, *spatial)
    return Layer(kind, getattr(flax.linen, flax_modules.NAMES[kind])(**given), shape, last)


class Layer(flax_modules.Layer):
    def __init__(self, kind, module, shape, last):
        super().__init__(kind, module, last)
        self.arguments = arguments_of(type(module))
        self.variables = dict(module.init(jax.random.key(0), jnp.zeros(shape, module.dtype), **self.mode(True)))

    def call(self, x):
        return self.module.apply(self.variables, x, mutable=["batch_stats"], **self.mode(True))

    def train(self, x):
        y, moved = self.call(self.enter(x))
        self.variables.update(moved)
        return self.leave(y)

    def backward(self, x, dy):
        _, pull, moved = jax.vjp(self.call, self.enter(x), has_aux=True)
        self.variables.update(moved)
        return self.leave(pull(self.enter(dy))[0])

    def evaluate(self, x):
        return self.leave(self.module.apply(self.variables, self.enter(x), **self.mode(False)))

    def running(self):
        if not self.moves:
            return None
        return {name: vector(self.variables["batch_stats"][name]) for name in ("mean", "var")}

    def set_running(self, mean, var):
        self.variables["batch_stats"] = {"mean": jnp.asarray(mean), "var": jnp.asarray(var)}
