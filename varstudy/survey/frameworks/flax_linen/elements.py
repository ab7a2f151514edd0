"""Flax's linen modules on JAX's CPU back end, not jitted: outputs, and gradients by jax.vjp."""

import flax
import flax.linen
import flax_modules
import jax
import jax.numpy as jnp
import jax_elements


def versions():
    return {"flax": flax.__version__, "jax": jax.__version__}


def prepared(kind, x, asked):
    """A function of x and parameters; the parameters; and whether the channels come last."""
    options, parameters, last = flax_modules.elements_options(kind, x, asked)
    module = getattr(flax.linen, flax_modules.NAMES[kind])(**options)
    channels = jnp.zeros(x.shape[1], jnp.float32)
    still = {"mean": channels, "var": channels}
    if not asked["training"]:
        still = {"mean": jnp.asarray(asked["mean"], jnp.float32), "var": jnp.asarray(asked["variance"], jnp.float32)}

    def call(values, params):
        variables = {"params": params, **({"batch_stats": still} if kind == "batch" else {})}
        return module.apply(variables, values, mutable=["batch_stats"])[0]

    return call, parameters, last


forward, backward = jax_elements.answers(prepared)
