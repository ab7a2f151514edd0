"""Equinox's eqx.nn.WeightNorm on jax's CPU back end."""

import equinox
import jax
import jax.numpy as jnp


class Held(equinox.Module):
    """A layer that returns its weight."""

    weight: jax.Array

    def __call__(self, x):
        return self.weight


def versions():
    return {"equinox": equinox.__version__, "jax": jax.__version__}


def weight(x, given):
    options = {"axis": given["axis"]} if "axis" in given else {}
    norm = equinox.nn.WeightNorm(Held(jnp.asarray(x)), **options)
    if "g" in given:
        norm = equinox.tree_at(lambda each: each.g, norm, jnp.full_like(norm.g, given["g"]))
    return {"y": norm(None), "g": norm.g}
