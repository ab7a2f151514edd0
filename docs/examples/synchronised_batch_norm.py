"""A batch norm's statistics over several ranks of torch.distributed, which have the same bits on 1, 2 or 3 of them.

Run it: python synchronised_batch_norm.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import varstudy

CHANNELS = 64
AXES = (0, 2, 3)  # of NCHW


def batches() -> list[torch.Tensor]:
    """Six batches of unequal sizes, whose mean is a thousand times their standard deviation."""
    g = torch.Generator().manual_seed(0)
    return [torch.randn(size, CHANNELS, 7, 7, generator=g) + 1000 for size in (4, 1, 3, 2, 5, 1)]


def synchronised(x: torch.Tensor) -> varstudy.Moments:
    """The moments of every channel over the batches of all ranks."""
    vector = torch.from_numpy(varstudy.Moments(axis=AXES).update(x).to_vector(torch.float32))
    dist.all_reduce(vector)  # a plain sum of int64
    return varstudy.Moments.from_vector(vector.numpy(), torch.float32, axis=AXES)


def work(rank: int, ranks: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet-{ranks}", rank=rank, world_size=ranks)
    mine = torch.cat(batches()[rank::ranks])
    found = synchronised(mine)
    if rank == 0:
        np.save(Path(folder) / f"{ranks}.npy", np.stack([found.mean, found.variance()]))
    dist.destroy_process_group()


def main() -> None:
    whole = torch.cat(batches())
    with tempfile.TemporaryDirectory() as folder:
        for ranks in (1, 2, 3):
            mp.spawn(work, args=(ranks, folder), nprocs=ranks)
            mean, variance = np.load(Path(folder) / f"{ranks}.npy")
            assert np.array_equal(mean, varstudy.mean(whole, axis=AXES))
            assert np.array_equal(variance, varstudy.var(whole, axis=AXES))
            print(f"{ranks} ranks: the bits of the whole batch, variance of channel 0 {variance[0]:.7f}")


if __name__ == "__main__":
    main()
