"""TensorFlow's own operators, without Keras: the fused batch norm, and tf.nn.moments with tf.nn.batch_normalization.

The operators keep nothing. What stands for running statistics is what the fused one returns for its caller to keep.
"""

import numpy as np
import tensorflow as tf
from layer_contract import Unsupported, arguments_of, to_canonical, to_channels_last, vector, widen

FRAMEWORK = "tf.nn"
VARIANTS = {
    "batch": {
        "NHWC": "tf.compat.v1.nn.fused_batch_norm on NHWC; the statistics that it returns are kept for the next step",
        "NCHW": "the same with data_format='NCHW'",
        "moments": "tf.nn.moments and tf.nn.batch_normalization on NHWC; epsilon has no default, and is 0 if not given",
        "moments, 2-D": "tf.nn.moments and tf.nn.batch_normalization on (N, C); epsilon as above",
    },
}
FUSED = tf.compat.v1.nn.fused_batch_norm


def versions():
    return {"tensorflow": tf.__version__}


def set_threads(n):
    tf.config.threading.set_intra_op_parallelism_threads(n)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    if "moments" in variant:
        if momentum is not None:
            raise Unsupported("tf.nn.batch_normalization has no argument for a momentum.")
        return Moments(channels, dtype, 0.0 if epsilon is None else epsilon)
    return Fused(channels, dtype, epsilon, momentum, variant)


class Operator:
    last = True

    def tensor(self, x):
        x = to_channels_last(np.asarray(x)) if self.last else np.asarray(x)
        return tf.cast(tf.convert_to_tensor(x), self.dtype)

    def array(self, y):
        if y.dtype != self.dtype:
            raise TypeError(f"{self.dtype.name} went in and {y.dtype.name} came out")
        y = widen(y.numpy())
        return to_canonical(y) if self.last else y

    def train(self, x):
        return self.array(self.call(self.tensor(x)))

    def backward(self, x, dy):
        x = self.tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = self.call(x)
        return self.array(tape.gradient(y, x, output_gradients=self.tensor(dy)))


class Fused(Operator):
    """Scale, shift and statistics are float32 for every input: the operator takes nothing else."""

    arguments = arguments_of(FUSED)
    chosen = {
        "initial.mean": "the caller keeps the statistics; they began with 0",
        "initial.var": "the caller keeps the statistics; they began with 1",
    }  # what a finding of would be the adapter's word, not the framework's

    def __init__(self, channels, dtype, epsilon, momentum, variant):
        self.dtype = tf.as_dtype(dtype)
        self.scale, self.shift = tf.ones(channels), tf.zeros(channels)
        self.mean, self.var = None, None
        self.given = {} if epsilon is None else {"epsilon": epsilon}
        self.moving = {}
        if momentum is not None:
            self.moving["exponential_avg_factor"] = momentum
            self.mean, self.var = tf.zeros(channels), tf.ones(channels)
        if variant == "NCHW":
            self.last = False
            self.given["data_format"] = "NCHW"

    def call(self, x):
        given = dict(self.given, **self.moving)
        if self.moving.get("exponential_avg_factor", 1.0) != 1.0:  # at 1 it refuses statistics, otherwise it needs them
            given.update(mean=self.mean, variance=self.var)
        y, self.mean, self.var = FUSED(x, self.scale, self.shift, **given)
        return y

    def evaluate(self, x):
        given = dict(self.given, mean=self.mean, variance=self.var)
        return self.array(FUSED(self.tensor(x), self.scale, self.shift, is_training=False, **given)[0])

    def running(self):
        if self.mean is None:
            return None
        return {"mean": vector(self.mean.numpy()), "var": vector(self.var.numpy())}

    def set_running(self, mean, var):
        self.mean, self.var = tf.constant(mean), tf.constant(var)


class Moments(Operator):
    arguments = {}
    chosen = {"epsilon.default": "variance_epsilon has no default; 0 was handed over"}

    def __init__(self, channels, dtype, epsilon):
        self.dtype = tf.as_dtype(dtype)
        self.scale, self.shift = tf.ones(channels, self.dtype), tf.zeros(channels, self.dtype)
        self.epsilon = epsilon

    def call(self, x):
        mean, var = tf.nn.moments(x, axes=list(range(len(x.shape) - 1)))
        return tf.nn.batch_normalization(x, mean, var, self.shift, self.scale, self.epsilon)

    def running(self):
        return None
