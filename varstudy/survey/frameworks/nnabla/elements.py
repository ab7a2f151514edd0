"""nnabla's functions on its CPU back end: outputs and gradients."""

import nnabla as nn
import numpy as np
from layer_contract import Unsupported, to_canonical, to_channels_last, widen
from nnabla import functions
from nnabla.ext_utils import get_extension_context

CONFIGURATIONS = {"float32": "float", "float16": "half"}


def versions():
    return {"nnabla": nn.__version__}


def normalised(kind, x, dy, asked):
    """The output and its inputs, computed; their gradients where there is a dy; and whether the channels come last."""
    last = asked["memory"] == "channels-last"
    if asked["dtype"] not in CONFIGURATIONS:
        raise Unsupported("nnabla has no bfloat16.")
    if asked["parameters"] == "float32" and asked["dtype"] != "float32":
        raise Unsupported("Its functions take scale and shift in the input's dtype.")
    if not asked["training"] and kind != "batch":
        raise Unsupported("Only batch norm has another output in evaluation.")
    if kind == "rms":
        raise Unsupported("nnabla has no RMS norm.")
    axis = x.ndim - 1 if last else 1
    shape = [1] * x.ndim
    shape[axis] = x.shape[1]

    def vector(values, gradient=True):
        return nn.Variable.from_numpy_array(np.asarray(values, np.float32).reshape(shape), need_grad=gradient)

    entered = nn.Variable.from_numpy_array(to_channels_last(np.asarray(x)) if last else x, need_grad=True)
    scale, shift = (None if asked[name] is None else vector(asked[name]) for name in ("weight", "bias"))
    more = {"eps": asked["epsilon"]}
    with nn.context_scope(get_extension_context("cpu", type_config=CONFIGURATIONS[asked["dtype"]])):
        if kind == "batch":
            mean, variance = np.zeros(x.shape[1]), np.ones(x.shape[1])
            if not asked["training"]:
                mean, variance = asked["mean"], asked["variance"]
            kept = [vector(each, False) for each in (mean, variance)]
            y = functions.batch_normalization(
                entered, shift, scale, *kept, axes=[axis], batch_stat=asked["training"], **more
            )
        elif kind == "layer":
            y = functions.layer_normalization(entered, shift, scale, batch_axis=0, **more)
        elif kind == "group":
            y = functions.group_normalization(entered, shift, scale, asked["groups"], channel_axis=axis, **more)
        else:
            y = functions.instance_normalization(entered, shift, scale, channel_axis=axis, **more)
        y.forward()
        if dy is not None:
            y.backward(to_channels_last(np.asarray(dy)) if last else dy)
    return y, entered, {"dweight": scale, "dbias": shift}, last


def given(y, last=False):
    return (to_canonical(widen(y)) if last else widen(y).copy()), str(y.dtype)


def forward(kind, x, asked):
    y, _, _, last = normalised(kind, x, None, asked)
    return {"y": given(y.d, last)}


def backward(kind, x, dy, asked):
    _, entered, parameters, last = normalised(kind, x, dy, asked)
    moved = {name: given(each.g.reshape(-1)) for name, each in parameters.items() if each is not None}
    return dict(moved, dx=given(entered.g, last))
