"""Observes Equinox's batch norm over the devices of jax.pmap: ``python probes/sync.py``."""

from sync_pmap import split, stacked

import equinox as eqx
import jax
import numpy as np
from sync_shards import CHANNELS, EPSILON, MOMENTUM, main


def step_on_devices(shards):
    x = stacked(shards)
    given = {"axis_name": ("batch", "devices"), "eps": EPSILON, "momentum": MOMENTUM, "mode": "batch"}
    layer, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(CHANNELS, **given)
    mean, var = state.get(layer.batch_state_index)
    before = {"mean": np.asarray(mean), "var": np.asarray(var)}

    def step(x, state):
        y, moved = jax.vmap(layer, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, state)
        return y, moved.get(layer.batch_state_index)

    y, statistics = jax.pmap(step, axis_name="devices", in_axes=(0, None))(x, state)
    return split(y, shards, statistics, before)


if __name__ == "__main__":
    what = "equinox.nn.BatchNorm(axis_name=('batch', 'devices'), mode='batch') under vmap and pmap"
    main(__file__, "axis_name, mode batch", what, step_on_devices)
