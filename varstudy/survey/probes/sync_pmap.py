"""Synchronised batch norms over an axis of jax.pmap, on host devices of XLA's CPU; to be imported before JAX.

pmap gives every device an array of one shape. So the batches of unequal size are padded with a foreign value, which a
mask hides, where the layer takes a mask; the others are asked equal sizes only.
"""

import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=3"
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np
from layer_contract import Unsupported
from sync_shards import CHANNELS

PADDING = 1000.0


def padded(shards):
    """The batches, and masks (N, 1) that say which rows are theirs."""
    longest = max(map(len, shards))
    x = np.full((len(shards), longest, CHANNELS), PADDING, np.float32)
    mask = np.zeros((len(shards), longest, 1), bool)
    for rank, one in enumerate(shards):
        x[rank, : len(one)] = one
        mask[rank, : len(one)] = True
    return x, mask


def stacked(shards):
    if len({len(one) for one in shards}) > 1:
        raise Unsupported("pmap gives every device a batch of one size, and this layer takes no mask.")
    return np.stack(shards)


def split(y, shards, statistics, before):
    """For each rank: its rows of y, its statistics before and after."""
    mean, var = (np.asarray(one) for one in statistics)
    ys = [np.asarray(y[rank])[: len(one)] for rank, one in enumerate(shards)]
    after = [{"mean": mean[rank].reshape(-1), "var": var[rank].reshape(-1)} for rank in range(len(shards))]
    return ys, [before] * len(shards), after
