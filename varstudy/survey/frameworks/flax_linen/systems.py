"""Flax's linen.WeightNorm on jax's CPU back end."""

import flax
import flax.linen
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict


class Held(flax.linen.Module):
    """A layer that returns its kernel."""

    @flax.linen.compact
    def __call__(self, x):
        return self.param("kernel", lambda key: jnp.asarray(x))


def versions():
    return {"flax": flax.__version__, "jax": jax.__version__}


def weight(x, given):
    options = {"feature_axes": given["axis"]} if "axis" in given else {}
    norm = flax.linen.WeightNorm(Held(), param_dtype=x.dtype, **options)
    flat = flatten_dict(norm.init(jax.random.key(0), x))
    scale = next(name for name in flat if name[-1].endswith("scale"))
    kernel = next(name for name in flat if name[-1] == "kernel")
    flat[kernel] = jnp.asarray(x)
    if "g" in given:
        flat[scale] = jnp.full_like(flat[scale], given["g"])
    return {"y": norm.apply(unflatten_dict(flat), x), "g": flat[scale]}
