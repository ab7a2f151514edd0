"""Flax's nnx modules on JAX's CPU back end, not jitted: outputs, and gradients by jax.vjp."""

import flax
import flax_modules
import jax
import jax.numpy as jnp
import jax_elements
from flax import nnx


def versions():
    return {"flax": flax.__version__, "jax": jax.__version__}


def prepared(kind, x, asked):
    """A function of x and parameters; the parameters; and whether the channels come last."""
    options, parameters, last = flax_modules.elements_options(kind, x, asked)
    moving = {"use_running_average": options.pop("use_running_average")} if kind == "batch" else {}
    statistics = {} if asked["training"] else {"mean": asked["mean"], "var": asked["variance"]}

    def call(values, params):
        # a module that was made outside may not be moved inside
        module = getattr(nnx, flax_modules.NAMES[kind])(x.shape[1], rngs=nnx.Rngs(0), **options)
        for name, value in {**params, **{k: jnp.asarray(v, jnp.float32) for k, v in statistics.items()}}.items():
            getattr(module, name)[...] = value
        return module(values, **moving)

    return call, parameters, last


forward, backward = jax_elements.answers(prepared)
