"""TensorFlow's fused batch norm, called eagerly: outputs, and gradients by its tape.

It takes scale, shift and statistics in float32 alone, whatever the input's dtype.
"""

import numpy as np
import tensorflow as tf
from layer_contract import Unsupported, to_canonical, to_channels_last


def versions():
    return {"tensorflow": tf.__version__}


def set_threads(n):
    tf.config.threading.set_intra_op_parallelism_threads(n)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def prepared(kind, x, asked):
    """A function of x, scale and shift; scale and shift; and whether the channels come last."""
    last = asked["memory"] == "channels-last"
    if kind != "batch":
        raise Unsupported("TensorFlow itself has no operator for this norm.")
    if asked["weight"] is None:
        raise Unsupported("The operator has no form without scale and shift.")
    if asked["parameters"] == "same" and asked["dtype"] != "float32":
        raise Unsupported("The operator takes scale and shift in float32 alone.")
    more = {"epsilon": asked["epsilon"], "data_format": "NHWC" if last else "NCHW", "is_training": asked["training"]}
    if not asked["training"]:
        more.update({name: tf.constant(asked[name], "float32") for name in ("mean", "variance")})

    def call(x, scale, shift):
        return tf.compat.v1.nn.fused_batch_norm(x, scale, shift, **more)[0]

    return call, [tf.constant(asked[name], "float32") for name in ("weight", "bias")], last


def tensor(x, asked, last):
    return tf.cast(to_channels_last(np.asarray(x)) if last else np.asarray(x), asked["dtype"])


def given(y, last=False):
    wide = tf.cast(y, "float32").numpy()
    return (to_canonical(wide) if last else wide), y.dtype.name


def forward(kind, x, asked):
    call, parameters, last = prepared(kind, x, asked)
    return {"y": given(call(tensor(x, asked, last), *parameters), last)}


def backward(kind, x, dy, asked):
    call, parameters, last = prepared(kind, x, asked)
    watched = [tensor(x, asked, last), *parameters]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        y = call(*watched)
    dx, dweight, dbias = tape.gradient(y, watched, output_gradients=tensor(dy, asked, last))
    return {"dx": given(dx, last), "dweight": given(dweight), "dbias": given(dbias)}
