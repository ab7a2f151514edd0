"""Observes Keras 3's BatchNormalization on replicas of TensorFlow: ``python sync_keras_tensorflow.py --out FILE``."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
from sync_mirrored import main

if __name__ == "__main__":
    main("on_keras", keras.layers.BatchNormalization, "keras.layers.BatchNormalization")
