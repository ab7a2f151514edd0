"""Observes Flax NNX's batch norm over the devices of jax.pmap: ``python probes/sync.py``."""

from sync_pmap import padded, split

import jax
import numpy as np
from flax import nnx
from sync_shards import CHANNELS, EPSILON, MOMENTUM, main


def step_on_devices(shards):
    x, mask = padded(shards)
    made = {"epsilon": EPSILON, "momentum": MOMENTUM, "axis_name": "devices", "rngs": nnx.Rngs(0)}
    layer = nnx.BatchNorm(CHANNELS, **made)
    graph, state = nnx.split(layer)
    before = {"mean": np.asarray(layer.mean[...]), "var": np.asarray(layer.var[...])}

    def step(x, mask, state):
        one = nnx.merge(graph, state)
        return one(x, use_running_average=False, mask=mask), (one.mean[...], one.var[...])

    y, statistics = jax.pmap(step, axis_name="devices", in_axes=(0, 0, None))(x, mask, state)
    return split(y, shards, statistics, before)


if __name__ == "__main__":
    what = "flax.nnx.BatchNorm(axis_name=...) with a mask, under pmap"
    main(__file__, "axis_name and mask", what, step_on_devices)
