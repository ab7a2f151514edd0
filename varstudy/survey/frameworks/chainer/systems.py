"""Chainer's links.BatchRenormalization on the CPU."""

import chainer
import numpy as np

NAMES = {"rmax": "rmax", "dmax": "dmax", "epsilon": "eps", "momentum": "decay"}


def versions():
    return {"chainer": chainer.__version__}


def renorm(x, given):
    if given.get("rmin", 0) not in (0, 1):
        raise TypeError("there is no rmin: r is clipped to 1 / rmax and rmax")
    options = {NAMES[name]: value for name, value in given.items() if name in NAMES}
    if given.get("renorm", True):
        layer = chainer.links.BatchRenormalization(x.shape[2], **options)
    else:
        layer = chainer.links.BatchNormalization(x.shape[2], **options)
    with chainer.using_config("train", True):
        for batch in x:
            y = layer(np.ascontiguousarray(batch))
    return {"y": y.array, "mean": layer.avg_mean, "var": layer.avg_var}
