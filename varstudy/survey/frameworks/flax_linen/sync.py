"""Observes Flax Linen's batch norm over the devices of jax.pmap: ``python probes/sync.py``."""

from sync_pmap import padded, split

import jax
import numpy as np
from flax import linen
from sync_shards import EPSILON, MOMENTUM, main


def step_on_devices(shards):
    x, mask = padded(shards)
    layer = linen.BatchNorm(False, epsilon=EPSILON, momentum=MOMENTUM, axis_name="devices")
    state = layer.init(jax.random.key(0), x[0])
    before = {name: np.asarray(state["batch_stats"][name]) for name in ("mean", "var")}

    def step(x, mask):
        y, moved = layer.apply(state, x, mask=mask, mutable=["batch_stats"])
        return y, (moved["batch_stats"]["mean"], moved["batch_stats"]["var"])

    y, statistics = jax.pmap(step, axis_name="devices")(x, mask)
    return split(y, shards, statistics, before)


if __name__ == "__main__":
    what = "flax.linen.BatchNorm(axis_name=...) with a mask, under pmap"
    main(__file__, "axis_name and mask", what, step_on_devices)
