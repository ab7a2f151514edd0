"""MLX's modules on the CPU, not compiled: outputs, and gradients by mlx.core.vjp."""

import mlx.core as mx
import numpy as np
from layer_contract import Unsupported, to_canonical, to_channels_last
from mlx import nn

mx.set_default_device(mx.cpu)

DTYPES = {"float32": mx.float32, "float16": mx.float16, "bfloat16": mx.bfloat16}


def versions():
    return {"mlx": mx.__version__}


def made(kind, channels, asked):
    """A module; the groups of a group norm are consecutive channels."""
    options = {"eps": asked["epsilon"], "affine": asked["weight"] is not None}
    if kind == "rms":
        if not options.pop("affine"):
            raise Unsupported("RMSNorm always has a scale.")
        return nn.RMSNorm(channels, **options)
    if kind == "group":
        return nn.GroupNorm(asked["groups"], channels, pytorch_compatible=True, **options)
    return {"batch": nn.BatchNorm, "layer": nn.LayerNorm, "instance": nn.InstanceNorm}[kind](channels, **options)


def prepared(kind, x, asked):
    """A function of x and parameters; the parameters; and whether the channels come last."""
    last = asked["memory"] == "channels-last"
    if x.ndim == 4 and not last:
        raise Unsupported("This module takes the channels as the last axis.")
    if not asked["training"] and kind != "batch":
        raise Unsupported("Only batch norm has another output in evaluation.")
    kept = DTYPES["float32" if asked["parameters"] == "float32" else asked["dtype"]]
    module = made(kind, x.shape[1], asked)
    module.set_dtype(kept)
    module.train(asked["training"])
    if not asked["training"]:
        module.running_mean, module.running_var = (mx.array(asked[k]).astype(kept) for k in ("mean", "variance"))
    names = [] if asked["weight"] is None else ["weight"] if kind == "rms" else ["weight", "bias"]
    parameters = [mx.array(asked[name]).astype(kept) for name in names]

    def call(x, *given):
        for name, value in zip(names, given, strict=True):
            setattr(module, name, value)
        return module(x)

    return call, dict(zip(names, parameters, strict=True)), last


def entered(x, asked, last):
    return mx.array(to_channels_last(np.asarray(x)) if last else np.asarray(x)).astype(DTYPES[asked["dtype"]])


def given(y, last=False):
    wide = np.array(y.astype(mx.float32))
    return (to_canonical(wide) if last else wide), str(y.dtype).replace("mlx.core.", "")


def forward(kind, x, asked):
    call, parameters, last = prepared(kind, x, asked)
    return {"y": given(call(entered(x, asked, last), *parameters.values()), last)}


def backward(kind, x, dy, asked):
    call, parameters, last = prepared(kind, x, asked)
    x, dy = entered(x, asked, last), entered(dy, asked, last)
    y = call(x, *parameters.values())
    _, (dx, *moved) = mx.vjp(call, [x, *parameters.values()], [dy.astype(y.dtype)])
    return dict({"d" + name: given(each) for name, each in zip(parameters, moved, strict=True)}, dx=given(dx, last))
