"""Observes paddle.nn.SyncBatchNorm on the CPU: ``python probes/sync.py``. Each rank is a process (gloo)."""

import json
import multiprocessing
import os
import socket
import tempfile

import paddle
import paddle.distributed as dist
from sync_shards import CHANNELS, EPSILON, MOMENTUM, SIZES, WORLDS, joined, named, out, plain, shards, write


def kept(layer):
    return {"mean": layer._mean.numpy().copy(), "var": layer._variance.numpy().copy()}


def rank(number, world, ports, folder):
    """One process: the layer on its own batch of each set; what came out goes into a file of its own."""
    ends = [f"127.0.0.1:{port}" for port in ports]
    os.environ.update(
        PADDLE_TRAINER_ID=str(number),
        PADDLE_TRAINERS_NUM=str(world),
        PADDLE_TRAINER_ENDPOINTS=",".join(ends[:world]),
        PADDLE_CURRENT_ENDPOINT=ends[number],
        PADDLE_MASTER=ends[world],
        PADDLE_DISTRI_BACKEND="gloo",
    )
    paddle.set_device("cpu")
    found = {}
    try:
        dist.init_parallel_env()
        for sizes in SIZES:
            layer = paddle.nn.SyncBatchNorm(CHANNELS, momentum=MOMENTUM, epsilon=EPSILON)
            layer.train()
            before = kept(layer)
            try:
                y = layer(paddle.to_tensor(shards(sizes, world)[number]))
                found[sizes] = plain((y.numpy(), before, kept(layer)))
            except Exception as problem:
                found[sizes] = named(problem)
    except Exception as problem:
        found = {sizes: named(problem) for sizes in SIZES}
    with open(os.path.join(folder, f"{number}.json"), "w") as file:
        json.dump(found, file)


def free(count):
    """Ports of this machine that nothing listens to."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    found = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return found


def together(world):
    """What every process found."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        ports = free(world + 1)
        processes = [context.Process(target=rank, args=(number, world, ports, folder)) for number in range(world)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
            if process.is_alive():
                process.kill()
        found = []
        for number in range(world):
            path = os.path.join(folder, f"{number}.json")
            if os.path.exists(path):
                with open(path) as file:
                    found.append(json.load(file))
            else:
                found.append(dict.fromkeys(SIZES, "the process ended without an answer"))
    return found


def main():
    path = out()
    what = "paddle.nn.SyncBatchNorm in training mode"
    runs = []
    for world in WORLDS:
        found = together(world)
        runs += [joined("SyncBatchNorm", what, sizes, world, [one[sizes] for one in found]) for sizes in SIZES]
    write(path, __file__, runs)


if __name__ == "__main__":
    main()
