"""Flax's nnx modules on JAX's CPU back end, not jitted, differentiated by jax.vjp."""

import flax
import flax_modules
import jax
import jax.numpy as jnp
from layer_contract import arguments_of, vector
from flax import nnx

FRAMEWORK = "flax-nnx"
VARIANTS = flax_modules.variants(layer={})


def versions():
    return {"flax": flax.__version__, "jax": jax.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    given, last = flax_modules.arguments(kind, variant, dtype, epsilon, momentum, groups)
    return Layer(kind, getattr(nnx, flax_modules.NAMES[kind])(channels, rngs=nnx.Rngs(0), **given), last)


class Layer(flax_modules.Layer):
    def __init__(self, kind, module, last):
        super().__init__(kind, module, last)
        self.arguments = arguments_of(type(module).__init__)

    def call(self, x, training):
        return self.module(x, **self.mode(training))

    def backward(self, x, dy):
        graph, state = nnx.split(self.module)

        def call(x, state):  # the state goes in and out: a module made outside may not be moved inside
            module = nnx.merge(graph, state)
            return module(x, **self.mode(True)), nnx.state(module)

        _, pull, moved = jax.vjp(call, self.enter(x), state, has_aux=True)
        nnx.update(self.module, moved)
        return self.leave(pull(self.enter(dy))[0])

    def running(self):
        if not self.moves:
            return None
        return {"mean": vector(self.module.mean[...]), "var": vector(self.module.var[...])}

    def set_running(self, mean, var):
        self.module.mean[...] = jnp.asarray(mean)
        self.module.var[...] = jnp.asarray(var)
