"""tf_keras, the Keras 2 that goes on next to Keras 3: its layers on TensorFlow, called eagerly."""

import keras_layers
import tensorflow as tf
import tf_keras

FRAMEWORK = "tf_keras"
VARIANTS = {
    "batch": {
        "NHWC": "BatchNormalization(axis=-1) on NHWC, which takes the fused kernel",
        "NHWC, not fused": "BatchNormalization(axis=-1, fused=False) on NHWC",
        "NHWC, synchronized": "BatchNormalization(synchronized=True) on NHWC, without a strategy",
        "NCHW": "BatchNormalization(axis=1) on NCHW",
        "2-D": "BatchNormalization on (N, C)",
    },
    **keras_layers.VARIANTS,
}


def versions():
    return {"tf_keras": tf_keras.__version__, "tensorflow": tf.__version__}


def set_threads(n):
    tf.config.threading.set_intra_op_parallelism_threads(n)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    net, last = keras_layers.built(tf_keras.layers, kind, variant, channels, dtype, epsilon, momentum, groups, spatial)
    return Layer(kind, net, dtype, last)


class Layer(keras_layers.Layer):
    def tensor(self, x):
        return tf.cast(tf.convert_to_tensor(x), self.dtype)

    def named(self, y):
        return y.dtype.name

    def numpy(self, y):
        return y.numpy()

    def value_of(self, variable):
        return variable.numpy()

    def backward(self, x, dy):
        return self.taped(tf, x, dy)
