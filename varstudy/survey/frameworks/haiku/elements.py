"""Haiku's modules on JAX's CPU back end, not jitted: outputs, and gradients by jax.vjp."""

import haiku as hk
import jax
import jax.numpy as jnp
import jax_elements
from layer_contract import Unsupported

LAYERS = {
    "batch": hk.BatchNorm,
    "layer": hk.LayerNorm,
    "group": hk.GroupNorm,
    "instance": hk.InstanceNorm,
    "rms": hk.RMSNorm,
}


def versions():
    return {"dm-haiku": hk.__version__, "jax": jax.__version__}


def options(kind, last, asked):
    """What a module is made with."""
    absent = asked["weight"] is None
    found = {"eps": asked["epsilon"], "create_scale": not absent}
    if kind != "rms":
        found["create_offset"] = not absent
    if kind == "batch":
        found.update(decay_rate=0.9, data_format="channels_last" if last else "channels_first")
    if kind == "group":
        found["groups"] = asked["groups"]
    if kind in ("layer", "rms"):
        found["axis"] = -1
    return found


def prepared(kind, x, asked):
    """A function of x and parameters; the parameters; and whether the channels come last."""
    last = asked["memory"] == "channels-last"
    if x.ndim == 4 and not last and kind != "batch":
        raise Unsupported("This module takes the channels as the last axis.")
    if not asked["training"] and kind != "batch":
        raise Unsupported("Only batch norm has another output in evaluation.")
    made, arguments = LAYERS[kind], options(kind, last, asked)
    kept = jnp.dtype("float32" if asked["parameters"] == "float32" else asked["dtype"])

    def mode(training):
        return (training,) if kind == "batch" else ()

    def normalised(values, *modes):
        return made(name="norm", **arguments)(values, *modes)

    module = hk.transform_with_state(normalised)
    drawn, state = module.init(jax.random.key(0), jax_elements.entered(x, asked, last), *mode(True))
    names = {"scale": "weight"} if kind == "rms" else {"scale": "weight", "bias": "bias"}
    parameters = {} if asked["weight"] is None else {k: jnp.asarray(asked[v], kept) for k, v in names.items()}
    if not asked["training"]:
        for name, values in (("norm/~/mean_ema", asked["mean"]), ("norm/~/var_ema", asked["variance"])):
            average = jnp.asarray(values, kept).reshape(state[name]["average"].shape)
            state = dict(state, **{name: dict(state[name], average=average)})

    def call(values, params):
        own = {{"scale": "scale", "bias": "offset"}[k]: v for k, v in params.items()}
        own = {"norm": {k: v.reshape(drawn["norm"][k].shape) for k, v in own.items()}} if own else {}
        return module.apply(own, state, None, values, *mode(asked["training"]))[0]

    return call, parameters, last


forward, backward = jax_elements.answers(prepared)
