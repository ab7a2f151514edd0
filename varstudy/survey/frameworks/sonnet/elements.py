"""Sonnet 2's modules on TensorFlow's CPU kernels, called eagerly: outputs, and gradients by TensorFlow's tape."""

import numpy as np
import sonnet as snt
import tensorflow as tf
from layer_contract import Unsupported, to_canonical, to_channels_last


def versions():
    return {"sonnet": snt.__version__, "tensorflow": tf.__version__}


def set_threads(n):
    tf.config.threading.set_intra_op_parallelism_threads(n)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def made(kind, asked, last, tables):
    """A module."""
    present = asked["weight"] is not None
    options = {"create_scale": present, "create_offset": present, "eps": asked["epsilon"]}
    if not tables:
        options["data_format"] = "channels_last" if last else "channels_first"
    if kind == "batch":
        return snt.BatchNorm(**options)
    if kind == "group":
        return snt.GroupNorm(asked["groups"], **options)
    if kind == "instance":
        return snt.InstanceNorm(**options)
    if kind == "layer":
        return snt.LayerNorm(-1, **options)
    raise Unsupported("Sonnet has no RMS norm.")


def prepared(kind, x, asked):
    """A module whose variables are set, and whether the channels come last."""
    last = asked["memory"] == "channels-last"
    if not asked["training"] and kind != "batch":
        raise Unsupported("Only batch norm has another output in evaluation.")
    if asked["parameters"] == "float32" and asked["dtype"] != "float32":
        raise Unsupported("The module makes scale and shift in the input's dtype.")
    module = made(kind, asked, last, x.ndim == 2)
    first = tensor(x[:1], asked, last)
    module(first, is_training=False) if kind == "batch" else module(first)  # the first call makes the variables
    pairs = [] if asked["weight"] is None else [(module.scale, "weight"), (module.offset, "bias")]
    if not asked["training"]:
        pairs += [(module.moving_mean.average, "mean"), (module.moving_variance.average, "variance")]
    for variable, name in pairs:
        variable.assign(tf.cast(asked[name].reshape(variable.shape), variable.dtype))
    return module, last


def tensor(x, asked, last):
    return tf.cast(to_channels_last(np.asarray(x)) if last else np.asarray(x), asked["dtype"])


def given(y, last=False):
    wide = tf.cast(y, "float32").numpy()
    return (to_canonical(wide) if last else wide), y.dtype.name


def called(module, kind, x, asked):
    return module(x, is_training=asked["training"]) if kind == "batch" else module(x)


def forward(kind, x, asked):
    module, last = prepared(kind, x, asked)
    return {"y": given(called(module, kind, tensor(x, asked, last), asked), last)}


def backward(kind, x, dy, asked):
    module, last = prepared(kind, x, asked)
    x = tensor(x, asked, last)
    parameters = {} if asked["weight"] is None else {"dweight": module.scale, "dbias": module.offset}
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = called(module, kind, x, asked)
    dx, *moved = tape.gradient(y, [x, *parameters.values()], output_gradients=tensor(dy, asked, last))
    flat = (given(tf.reshape(each, [-1])) for each in moved)
    return dict(zip(parameters, flat, strict=True), dx=given(dx, last))
