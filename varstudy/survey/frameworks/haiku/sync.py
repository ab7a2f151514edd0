"""Observes Haiku's batch norm over the devices of jax.pmap: ``python probes/sync.py``."""

from sync_pmap import split, stacked

import haiku as hk
import jax
import numpy as np
from sync_shards import EPSILON, MOMENTUM, main


def step_on_devices(shards):
    x = stacked(shards)
    given = {"eps": EPSILON, "decay_rate": MOMENTUM, "cross_replica_axis": "devices", "name": "norm"}
    layer = hk.transform_with_state(lambda x: hk.BatchNorm(True, True, **given)(x, True))

    def step(x):
        parameters, state = layer.init(jax.random.key(0), x)
        y, moved = layer.apply(parameters, state, None, x)
        start, end = ([one[f"norm/~/{name}_ema"]["hidden"] for name in ("mean", "var")] for one in (state, moved))
        return y, start, end

    y, start, statistics = jax.pmap(step, axis_name="devices")(x)
    before = {"mean": np.asarray(start[0][0]).reshape(-1), "var": np.asarray(start[1][0]).reshape(-1)}
    return split(y, shards, statistics, before)


if __name__ == "__main__":
    what = "haiku.BatchNorm(cross_replica_axis=...) under pmap; the hidden sums of its averages are kept"
    main(__file__, "cross_replica_axis", what, step_on_devices)
