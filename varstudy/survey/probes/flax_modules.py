"""What Flax's linen and nnx modules have in common: their names, arguments and arrays."""

import jax.numpy as jnp
from layer_contract import AdapterLayer, Unsupported, check_dtype, given

NAMES = {
    "batch": "BatchNorm",
    "layer": "LayerNorm",
    "group": "GroupNorm",
    "instance": "InstanceNorm",
    "rms": "RMSNorm",
}


def variants(layer):
    """Every kind's variants; `layer`, further ones of the layer norm, come after its first."""
    return {
        "batch": {
            "NHWC": "BatchNorm on NHWC",
            "NHWC, slow variance": "BatchNorm(use_fast_variance=False) on NHWC",
            "NCHW": "BatchNorm(axis=1) on NCHW",
            "2-D": "BatchNorm on (N, C)",
        },
        "layer": {
            "2-D": "LayerNorm on (N, C), over C",
            **layer,
            "NHWC": "LayerNorm(reduction_axes=(1, 2, 3)) on NHWC",
            "channels": "LayerNorm on NHWC, over C at each pixel",
        },
        "group": {"NHWC": "GroupNorm on NHWC", "2-D": "GroupNorm on (N, C)"},
        "instance": {"NHWC": "InstanceNorm on NHWC"},
        "rms": {"2-D": "RMSNorm on (N, C), over C"},
    }


def arguments(kind, variant, dtype, epsilon, momentum, groups):
    """What a module is made with, and whether the channels come last in its input."""
    if dtype == "float64":
        raise Unsupported("JAX has float64 only where jax_enable_x64 is set.")
    options = given(dtype=jnp.dtype(dtype), epsilon=epsilon, momentum=momentum)
    if kind == "group":
        options["num_groups"] = groups
    if variant == "NCHW":
        options["axis"] = 1
    if kind == "layer" and variant == "NHWC":
        options["reduction_axes"] = (1, 2, 3)
    if "slow" in variant:
        options["use_fast_variance"] = False
    return options, variant.startswith(("NHWC", "channels"))


def elements_options(kind, x, asked):
    """What a module is made with for `elements.py`; its parameters; and whether the channels come last."""
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
    parameters = {} if asked["weight"] is None else {k: jnp.asarray(asked[v], kept) for k, v in names.items()}
    return given, parameters, last


class Layer(AdapterLayer):
    """The arrays and the mode of a module; how it is called and where it keeps its statistics is an adapter's."""

    def __init__(self, kind, module, last):
        self.module = module
        self.last = last
        self.moves = kind == "batch"

    def mode(self, training):
        return {"use_running_average": not training} if self.moves else {}

    def tensor(self, x):
        return jnp.asarray(x, self.module.dtype)

    def array(self, y):
        check_dtype(y.dtype, self.module.dtype)
        return y
