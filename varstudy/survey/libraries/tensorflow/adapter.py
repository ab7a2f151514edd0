"""TensorFlow's variances, eager and compiled by XLA."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from function_contract import Answer, only


def versions():
    return {"tensorflow": tf.__version__, "numpy": np.__version__}


def set_threads(n):
    tf.config.threading.set_intra_op_parallelism_threads(n)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def along(function, axis, compiled=False):
    def plain(x):
        return function(x, list(range(x.shape.rank)) if axis is None else [axis])

    called = tf.function(plain, jit_compile=True) if compiled else plain

    def call(x, storage, ddof):
        only(ddof, 0)
        made = tf.constant(x)
        if storage == "bfloat16":
            made = tf.cast(made, tf.bfloat16)
        found = called(made)
        if found.dtype == tf.bfloat16:
            return Answer(tf.cast(found, tf.float32).numpy(), "bfloat16")
        return found.numpy()

    return call


def reduced(x, axes):
    return tf.math.reduce_variance(x, axis=axes)


def moments(x, axes):
    return tf.nn.moments(x, axes=axes)[1]


def sufficient(x, axes):
    """Sums of x and x^2 first, as tf.nn.batch_normalization's helpers have it."""
    count, mean, square, shift = tf.nn.sufficient_statistics(x, axes)
    return tf.nn.normalize_moments(count, mean, square, shift)[1]


FUNCTIONS = {
    "reduce_variance": along(reduced, None),
    "reduce_variance, axis -1": along(reduced, -1),
    "reduce_variance, axis 0": along(reduced, 0),
    "moments": along(moments, None),
    "moments, axis 0": along(moments, 0),
    "sufficient_statistics": along(sufficient, None),
    "reduce_variance, XLA": along(reduced, None, True),
    "moments, XLA": along(moments, None, True),
}
