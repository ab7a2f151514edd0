"""Flax's linen modules on JAX's CPU back end, not jitted: outputs, and gradients by jax.vjp."""

import flax
import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
from layer_contract import Unsupported, to_canonical, to_channels_last

NAMES = {"batch": "BatchNorm", "layer": "LayerNorm", "group": "GroupNorm", "instance": "InstanceNorm", "rms": "RMSNorm"}


def versions():
    return {"flax": flax.__version__, "jax": jax.__version__}


def prepared(kind, x, asked):
    """A function of x and parameters; the parameters; and whether the channels come last."""
    last = asked["memory"] == "channels-last"
    if x.ndim == 4 and not last and kind != "batch":
        raise Unsupported("This module takes the channels as the last axis.")
    if not asked["training"] and kind != "batch":
        raise Unsupported("Only batch norm has another output in evaluation.")
    dtype = jnp.dtype(asked["dtype"])
    kept = jnp.dtype("float32") if asked["parameters"] == "float32" else dtype
    given = {"epsilon": asked["epsilon"], "dtype": dtype, "param_dtype": kept}
    names = {"scale": "weight"} if kind == "rms" else {"scale": "weight", "bias": "bias"}
    given.update({"use_" + name: asked["weight"] is not None for name in names})
    if kind == "group":
        given["num_groups"] = asked["groups"]
    if kind == "batch":
        given.update(axis=-1 if last or x.ndim == 2 else 1, use_running_average=not asked["training"])
    module = getattr(flax.linen, NAMES[kind])(**given)
    parameters = {} if asked["weight"] is None else {k: jnp.asarray(asked[v], kept) for k, v in names.items()}
    channels = jnp.zeros(x.shape[1], jnp.float32)
    still = {"mean": channels, "var": channels}
    if not asked["training"]:
        still = {"mean": jnp.asarray(asked["mean"], jnp.float32), "var": jnp.asarray(asked["variance"], jnp.float32)}

    def call(values, params):
        variables = {"params": params, **({"batch_stats": still} if kind == "batch" else {})}
        return module.apply(variables, values, mutable=["batch_stats"])[0]

    return call, parameters, last


def entered(x, asked, last):
    return jnp.asarray(to_channels_last(np.asarray(x)) if last else x, jnp.dtype(asked["dtype"]))


def given(y, last=False):
    wide = np.asarray(y.astype(jnp.float32))
    return (to_canonical(wide) if last else wide), str(y.dtype)


def forward(kind, x, asked):
    call, parameters, last = prepared(kind, x, asked)
    return {"y": given(call(entered(x, asked, last), parameters), last)}


def backward(kind, x, dy, asked):
    call, parameters, last = prepared(kind, x, asked)
    _, pull = jax.vjp(call, entered(x, asked, last), parameters)
    dx, moved = pull(entered(dy, asked, last))
    names = {"scale": "dweight", "bias": "dbias"}
    return {"dx": given(dx, last), **{names[k]: given(v) for k, v in moved.items()}}
