"""Equinox's modules on JAX's CPU back end, mapped over the batch by jax.vmap, not jitted: outputs and gradients."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax_elements
from layer_contract import Unsupported


def versions():
    return {"equinox": eqx.__version__, "jax": jax.__version__}


def made(kind, channels, asked, dtype):
    """A module without scale and shift, or with those that are asked for; and the state of a batch norm."""
    present = asked["weight"] is not None
    given = {"eps": asked["epsilon"], "dtype": dtype}
    if kind == "batch":
        given.update(axis_name="batch", mode="batch", channelwise_affine=present)
        return eqx.nn.make_with_state(eqx.nn.BatchNorm)(channels, **given)
    if kind in ("group", "instance"):
        groups = asked["groups"] if kind == "group" else channels
        return eqx.nn.GroupNorm(groups, channels, channelwise_affine=present, **given), None
    if kind == "layer":
        return eqx.nn.LayerNorm(channels, use_weight=present, use_bias=present, **given), None
    return eqx.nn.RMSNorm(channels, use_weight=present, use_bias=False, **given), None


def prepared(kind, x, asked):
    """A function of x and parameters; the parameters; and whether the channels come last, which they never do."""
    if asked["memory"] != "contiguous":
        raise Unsupported("This module takes the channels as the first axis.")
    if not asked["training"]:
        raise Unsupported("Its running statistics are not set here.")
    kept = jnp.dtype("float32" if asked["parameters"] == "float32" else asked["dtype"])
    names = {"scale": "weight"} if kind == "rms" else {"scale": "weight", "bias": "bias"}
    parameters = {} if asked["weight"] is None else {k: jnp.asarray(asked[v], kept) for k, v in names.items()}
    module, state = made(kind, x.shape[1], asked, kept)

    def call(values, params):
        own = module
        if params:
            own = eqx.tree_at(lambda m: [getattr(m, names[k]) for k in params], module, list(params.values()))
        if kind == "batch":
            return jax.vmap(own, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(values, state)[0]
        return jax.vmap(own)(values)

    return call, parameters, False


forward, backward = jax_elements.answers(prepared)
