"""Observes tf_keras's BatchNormalization on replicas of TensorFlow: ``python probes/sync.py``."""

import tf_keras
from sync_mirrored import main

if __name__ == "__main__":
    main(__file__, tf_keras.layers.BatchNormalization, "tf_keras.layers.BatchNormalization")
