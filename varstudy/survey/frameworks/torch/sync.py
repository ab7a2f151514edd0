"""Observes torch.nn.SyncBatchNorm on processes of the CPU that talk by gloo: ``python probes/sync.py``.

Where the module refuses the CPU, the observation is its refusal. Beneath it are asked, each by itself: the autograd
function that the module hands over to, and the operators that the function is made of.
"""

import json
import os
import sys
import tempfile
from datetime import timedelta

import torch
import torch.distributed as dist
from layer_contract import Unsupported
from sync_shards import (
    CHANNELS,
    EPSILON,
    MOMENTUM,
    SIZES,
    WORLDS,
    NotMet,
    joined,
    named,
    out,
    patiently,
    plain,
    run,
    shards,
    write,
)
from torch.nn.modules._functions import SyncBatchNorm as Function

LIMIT = timedelta(seconds=60)
# The exit code of a process that does not find the others.
ALONE = 73


def kept(layer):
    return {"mean": layer.running_mean.numpy().copy(), "var": layer.running_var.numpy().copy()}


def module(x):
    layer = torch.nn.SyncBatchNorm(CHANNELS, eps=EPSILON, momentum=MOMENTUM).train()
    before = kept(layer)
    return layer(x).detach().numpy(), before, kept(layer)


def function(x):
    layer = torch.nn.SyncBatchNorm(CHANNELS, eps=EPSILON, momentum=MOMENTUM)
    before = kept(layer)
    statistics = (layer.running_mean, layer.running_var)
    group, world = dist.group.WORLD, dist.get_world_size()
    y = Function.apply(x, layer.weight, layer.bias, *statistics, EPSILON, MOMENTUM, group, world)
    return y.detach().numpy(), before, kept(layer)


def stats(x):
    return [torch.batch_norm_stats(x, EPSILON)]


def gather(x):
    mean, invstd, count = torch.zeros(2, CHANNELS), torch.ones(2, CHANNELS), torch.tensor([2.0, 6.0])
    moved = (torch.zeros(CHANNELS), torch.ones(CHANNELS))
    return [torch.batch_norm_gather_stats_with_counts(x, mean, invstd, *moved, MOMENTUM, EPSILON, count)]


def elementwise(x):
    one = torch.ones(CHANNELS)
    return [torch.batch_norm_elemt(x, one, one, one, one, EPSILON)]


LAYERS = {
    "SyncBatchNorm": (module, "torch.nn.SyncBatchNorm in training mode"),
    "autograd function": (function, "torch.nn.modules._functions.SyncBatchNorm.apply"),
}
OPERATORS = {"batch_norm_stats": stats, "batch_norm_gather_stats_with_counts": gather, "batch_norm_elemt": elementwise}


def rank(number, world, folder):
    """One process: each layer on its own batch of each set; what came out goes into a file of its own."""
    torch.set_num_threads(1)
    where = f"file://{os.path.join(folder, 'meeting')}"
    try:
        dist.init_process_group("gloo", init_method=where, rank=number, world_size=world, timeout=LIMIT)
    except RuntimeError as problem:
        print(named(problem), file=sys.stderr)
        sys.exit(ALONE)
    found = {}
    for sizes in SIZES:
        x = torch.tensor(shards(sizes, world)[number])
        for name, (step, _) in LAYERS.items():
            try:
                found[f"{name}, {sizes}"] = plain(step(x))
            except Exception as problem:
                found[f"{name}, {sizes}"] = named(problem)
    with open(os.path.join(folder, f"{number}.json"), "w") as file:
        json.dump(found, file)
    dist.destroy_process_group()


def together(world):
    """What every process found."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            torch.multiprocessing.spawn(rank, args=(world, folder), nprocs=world)
        except torch.multiprocessing.ProcessExitedException as problem:
            if problem.exit_code == ALONE:
                raise NotMet(str(problem)) from problem
            raise
        found = []
        for number in range(world):
            with open(os.path.join(folder, f"{number}.json")) as file:
                found.append(json.load(file))
    return found


def main():
    path = out()
    runs = []
    for world in WORLDS:
        found = patiently(lambda world=world: together(world))
        for name, (_, what) in LAYERS.items():
            for sizes in SIZES:
                runs.append(joined(name, what, sizes, world, [one[f"{name}, {sizes}"] for one in found]))
    for name, operator in OPERATORS.items():

        def alone(x, operator=operator):
            operator(torch.tensor(x[0]))
            raise Unsupported("It runs by itself, and has no layer of its own to observe.")

        runs.append(run(name, f"torch.{name} by itself, on the CPU", "unequal", 1, alone))
    write(path, __file__, runs)


if __name__ == "__main__":
    main()
