"""tensorflow: where the functions run, and how each is called."""

from __future__ import annotations

from varstudy.survey.environments.shared import CORE
from varstudy.survey.libraries.declaring import ALL, Call, Eats, Library

LIBRARIES = [
    Library(
        "tensorflow",
        CORE,
        [
            Call("reduce_variance", "tf.math.reduce_variance"),
            Call("reduce_variance, axis -1", "tf.math.reduce_variance axis=-1", eats=Eats.ROWS),
            Call("reduce_variance, axis 0", "tf.math.reduce_variance axis=0", eats=Eats.COLUMNS),
            Call("moments", "tf.nn.moments"),
            Call("moments, axis 0", "tf.nn.moments axes=[0]", eats=Eats.COLUMNS),
            Call(
                "sufficient_statistics",
                "tf.nn.sufficient_statistics",
                note="with tf.nn.normalize_moments, without a shift",
            ),
            Call("reduce_variance, XLA", "tf.math.reduce_variance, XLA", note="tf.function(jit_compile=True)"),
            Call("moments, XLA", "tf.nn.moments, XLA", note="tf.function(jit_compile=True)"),
        ],
        storages=ALL,
        order=30,
    ),
]
