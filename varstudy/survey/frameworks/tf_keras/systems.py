"""tf_keras' BatchNormalization(renorm=True)."""

import renorm_layers
import tensorflow as tf
import tf_keras


def versions():
    return {"tf_keras": tf_keras.__version__, "tensorflow": tf.__version__}


def renorm(x, given):
    return renorm_layers.trained(tf_keras.layers.BatchNormalization, x, given)
