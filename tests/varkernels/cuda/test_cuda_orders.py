"""The committed kernels with threads run from the last to the first and on other grids: the mirror's bits all the same.

A kernel whose threads race, or whose answer depends on how many blocks there are, would differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest

from varkernels import FORMATS
from varkernels.cuda import algorithms, mirror, moments
from varkernels.cuda.catalogue import accumulator_of, get, held_most
from varkernels.cuda.devices.ptx import Executor
from varkernels.cuda.launch_plan import MOST_BLOCKS

SHAPES = [(1, 5, 1000), (3, 4, 49), (1, 2, 20_000)]
GRIDS = (MOST_BLOCKS, 2)
NAMES = sorted(algorithms())
# What a run of one day executes: every third algorithm, all of them in three days.
TODAY = NAMES[date.today().toordinal() % 3 :: 3]


def different(names: Sequence[str], storages: Sequence[str], shapes: Sequence[tuple[int, int, int]]) -> list[str]:
    """Where an execution in reverse differs from the mirror in any bit."""
    executor = Executor(reverse=True)
    rng = np.random.default_rng(2)
    found, runs = [], 0
    for storage in storages:
        fmt = FORMATS[storage]
        for shape in shapes:
            x = (rng.standard_normal(shape) + 3).astype(fmt.dtype)
            for name in names:
                if name == "exact":  # sums of integers: see test_cuda_exact
                    continue
                if get(name).order == "held" and shape[0] * shape[2] > held_most(accumulator_of(fmt)):
                    continue
                for contracted in (True, False):
                    want = mirror.moments(x, name, contracted=contracted)
                    for most in GRIDS:
                        got = moments(x, name, contracted=contracted, most_blocks=most, device=executor)
                        runs += 1
                        if got.mean.tobytes() != want.mean.tobytes() or got.m2.tobytes() != want.m2.tobytes():
                            found.append(f"{storage} {shape} {name} contracted={contracted} blocks={most}")
    assert runs >= 2 * len(names) * len(storages)
    return found


@pytest.mark.parametrize("storage", ["float16", "float32"])
def test_reversed_threads_and_other_grids_change_no_bit(storage: str) -> None:
    assert different(TODAY, [storage], SHAPES[:2]) == []


@pytest.mark.long
def test_reversed_threads_and_other_grids_change_no_bit_of_any_kernel() -> None:
    assert different(NAMES, list(FORMATS), SHAPES) == []
