"""Observes gluon.contrib.nn.SyncBatchNorm on several of MXNet's CPU contexts: ``python probes/sync.py``.

Each rank is a thread with a context of its own. The running statistics move in the backward pass, so there is one.
"""

import os
import threading

os.environ["MXNET_CPU_WORKER_NTHREADS"] = "8"  # a rank that waits for the others holds one

import mxnet as mx
from mxnet.gluon.contrib.nn import SyncBatchNorm
from sync_shards import CHANNELS, EPSILON, MOMENTUM, main


def kept(layer, contexts):
    return [
        {"mean": layer.running_mean.data(one).asnumpy(), "var": layer.running_var.data(one).asnumpy()}
        for one in contexts
    ]


def step(shards):
    contexts = [mx.cpu(number) for number in range(len(shards))]
    name = "ranks%d_%s" % (len(shards), "_".join(str(len(one)) for one in shards))
    layer = SyncBatchNorm(
        in_channels=CHANNELS, num_devices=len(shards), momentum=MOMENTUM, epsilon=EPSILON, prefix=name
    )  # the prefix is the key under which the ranks meet
    layer.initialize(ctx=contexts)
    before = kept(layer, contexts)
    found = {}

    def rank(number):
        x = mx.nd.array(shards[number], ctx=contexts[number])
        with mx.autograd.record():
            y = layer(x)
        y.backward()
        found[number] = y.asnumpy()

    threads = [threading.Thread(target=rank, args=(number,), daemon=True) for number in range(len(shards))]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    if len(found) < len(shards):
        raise RuntimeError("the ranks waited for each other for a minute")
    mx.nd.waitall()
    return [found[number] for number in range(len(shards))], before, kept(layer, contexts)


if __name__ == "__main__":
    main(__file__, "SyncBatchNorm", "gluon.contrib.nn.SyncBatchNorm, a thread and a context for each rank", step)
