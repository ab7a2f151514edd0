"""Observes tf_keras's BatchNormalization on replicas of TensorFlow: ``python sync_tf_keras.py --out FILE``."""

import tf_keras
from sync_mirrored import main

if __name__ == "__main__":
    main("on_tf_keras", tf_keras.layers.BatchNormalization, "tf_keras.layers.BatchNormalization")
