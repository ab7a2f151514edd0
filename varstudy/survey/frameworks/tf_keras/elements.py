"""Keras 2's layers on TensorFlow, called eagerly: outputs, and gradients by its tape."""

import keras_layers
import numpy as np
import tensorflow as tf
import tf_keras
from layer_contract import to_canonical, to_channels_last


def versions():
    return {"tf_keras": tf_keras.__version__, "tensorflow": tf.__version__}


def set_threads(n):
    tf.config.threading.set_intra_op_parallelism_threads(n)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def tensor(x, asked, last):
    return tf.cast(to_channels_last(np.asarray(x)) if last else np.asarray(x), asked["dtype"])


def given(y, last=False):
    wide = tf.cast(y, "float32").numpy()
    return (to_canonical(wide) if last else wide), y.dtype.name


def prepared(kind, x, asked):
    return keras_layers.for_elements(tf_keras.layers, tf_keras.mixed_precision.Policy, kind, x, asked)


def forward(kind, x, asked):
    layer, _, last = prepared(kind, x, asked)
    return {"y": given(keras_layers.called(layer, kind, tensor(x, asked, last), asked), last)}


def backward(kind, x, dy, asked):
    layer, parameters, last = prepared(kind, x, asked)
    x, dy = tensor(x, asked, last), tensor(dy, asked, last)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = keras_layers.called(layer, kind, x, asked)
    dx, *moved = tape.gradient(y, [x, *parameters.values()], output_gradients=dy)
    return dict(zip(parameters, map(given, moved), strict=True), dx=given(dx, last))
