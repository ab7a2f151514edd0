"""Batch renormalisation of Keras 3 and tf_keras, which take the same arguments: for their ``systems.py``."""

import numpy as np


def trained(layer_class, x, given):
    """The layer after training on each of the batches (steps, values, channels): outputs and what it keeps.

    given : rmin, rmax, dmax, epsilon, momentum, and renorm, which is True unless said.
    """
    options = {name: given[name] for name in ("epsilon", "momentum") if name in given}
    clips = {name: given[name] for name in ("rmin", "rmax", "dmax") if name in given}
    if given.get("renorm", True):
        options["renorm"] = True
        if clips:
            options["renorm_clipping"] = clips
    layer = layer_class(**options)
    for batch in x:
        y = layer(batch, training=True)
    return {
        "y": np.asarray(y.detach() if hasattr(y, "detach") else y),
        "mean": np.asarray(layer.moving_mean.numpy()),
        "var": np.asarray(layer.moving_variance.numpy()),
    }
