"""Keras 3's BatchNormalization(renorm=True) on the back end that KERAS_BACKEND names."""

import keras
import renorm_layers


def versions():
    return {"keras": keras.__version__, "on": keras.backend.backend()}


def renorm(x, given):
    return renorm_layers.trained(keras.layers.BatchNormalization, x, given)
