"""PaddlePaddle's norms as functions on its CPU kernels, in its dynamic mode: outputs and gradients."""

import numpy as np
import paddle
import paddle.incubate.nn.functional as incubated
import paddle.nn.functional as F
from layer_contract import Unsupported, to_canonical, to_channels_last


def versions():
    return {"paddle": paddle.__version__}


def tensor(values, dtype):
    return None if values is None else paddle.to_tensor(np.asarray(values, np.float32)).astype(dtype)


def prepared(kind, x, asked):
    """x, scale, shift, and whether the channels come last."""
    last = asked["memory"] == "channels-last"
    if last and kind == "instance":
        raise Unsupported("This function takes the channels as the second axis.")
    if not asked["training"] and kind != "batch":
        raise Unsupported("Only batch norm has another output in evaluation.")
    if asked["weight"] is None and kind == "rms":
        raise Unsupported("fused_rms_norm always has a scale.")
    kept = "float32" if asked["parameters"] == "float32" else asked["dtype"]
    entered = tensor(to_channels_last(np.asarray(x)) if last else x, asked["dtype"])
    return entered, tensor(asked["weight"], kept), tensor(asked["bias"], kept), last


def normalised(kind, x, weight, bias, asked, channels, last):
    form, epsilon = ("NHWC" if last else "NCHW"), asked["epsilon"]
    if kind == "batch":
        mean, variance = asked["mean"], asked["variance"]
        if asked["training"]:
            mean, variance = np.zeros(channels), np.ones(channels)
        mean, variance = tensor(mean, "float32"), tensor(variance, "float32")
        return F.batch_norm(x, mean, variance, weight, bias, asked["training"], 0.9, epsilon, form)
    if kind == "layer":
        return F.layer_norm(x, channels, weight, bias, epsilon)
    if kind == "group":
        return F.group_norm(x, asked["groups"], epsilon, weight, bias, form)
    if kind == "instance":
        return F.instance_norm(x, weight=weight, bias=bias, eps=epsilon)
    return incubated.fused_rms_norm(x, weight, None, epsilon, 1)[0]


def given(y, last=False):
    wide = y.astype("float32").numpy()
    return (to_canonical(wide) if last else wide), str(y.dtype).replace("paddle.", "")


def forward(kind, x, asked):
    entered, weight, bias, last = prepared(kind, x, asked)
    return {"y": given(normalised(kind, entered, weight, bias, asked, x.shape[1], last), last)}


def backward(kind, x, dy, asked):
    entered, weight, bias, last = prepared(kind, x, asked)
    parameters = {"dweight": weight, "dbias": None if kind == "rms" else bias}
    moved = {name: each for name, each in parameters.items() if each is not None}
    for each in (entered, *moved.values()):
        each.stop_gradient = False
    y = normalised(kind, entered, weight, bias, asked, x.shape[1], last)
    out = tensor(to_channels_last(np.asarray(dy)) if last else dy, asked["dtype"])
    dx, *gradients = paddle.grad(y, [entered, *moved.values()], out)
    return dict({name: given(each) for name, each in zip(moved, gradients, strict=True)}, dx=given(dx, last))
