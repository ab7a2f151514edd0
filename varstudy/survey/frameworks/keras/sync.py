"""Observes Keras 3's BatchNormalization on replicas of TensorFlow: ``python probes/sync.py``."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
from sync_mirrored import main

if __name__ == "__main__":
    main(__file__, keras.layers.BatchNormalization, "keras.layers.BatchNormalization")
