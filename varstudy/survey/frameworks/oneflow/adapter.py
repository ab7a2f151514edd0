"""OneFlow: the layers of oneflow.nn on the processor. Not RMSNorm, of which OneFlow 0.9 has no kernel for it."""

import numpy as np
import oneflow
from layer_contract import Unsupported, arguments_of, to_canonical, to_channels_last, vector
from oneflow import nn

FRAMEWORK = "oneflow"
VARIANTS = {
    "batch": {"NCHW": "nn.BatchNorm2d on NCHW", "2-D": "nn.BatchNorm1d on (N, C)"},
    "layer": {
        "2-D": "nn.LayerNorm on (N, C), over C",
        "NCHW": "nn.LayerNorm on NCHW, over C, H, W",
        "channels": "nn.LayerNorm on NHWC, over C at each pixel",
    },
    "group": {"NCHW": "nn.GroupNorm on NCHW"},
    "instance": {"NCHW": "nn.InstanceNorm2d on NCHW"},
}
CLASSES = {
    ("batch", "2-D"): nn.BatchNorm1d,
    "batch": nn.BatchNorm2d,
    "layer": nn.LayerNorm,
    "group": nn.GroupNorm,
    "instance": nn.InstanceNorm2d,
}


def versions():
    return {"oneflow": oneflow.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    make = CLASSES.get((kind, variant)) or CLASSES[kind]
    given = {"eps": epsilon, "momentum": momentum}
    given = {name: value for name, value in given.items() if value is not None}
    if momentum is not None and kind not in ("batch", "instance"):
        raise Unsupported("OneFlow's %s has no momentum." % make.__name__)
    if (kind, variant) == ("layer", "NCHW"):
        channels = (channels,) + tuple(spatial)
    sizes = (groups, channels) if kind == "group" else (channels,)
    return Layer(make(*sizes, **given), make, dtype, variant == "channels")


class Layer(object):
    def __init__(self, module, make, dtype, last):
        self.arguments = arguments_of(make.__init__)
        self.module, self.dtype, self.last = module.to(getattr(oneflow, dtype)), dtype, last

    def enter(self, x):
        x = to_channels_last(x) if self.last else x
        return oneflow.tensor(np.ascontiguousarray(x, np.float32)).to(getattr(oneflow, self.dtype))

    def leave(self, y):
        y = y.detach().to(oneflow.float32).numpy()
        return to_canonical(y) if self.last else y

    def train(self, x):
        self.module.train()
        return self.leave(self.module(self.enter(x)))

    def evaluate(self, x):
        self.module.eval()
        return self.leave(self.module(self.enter(x)))

    def backward(self, x, dy):
        self.module.train()
        x = self.enter(x).requires_grad_()
        y = self.module(x)
        return self.leave(oneflow.autograd.grad(y, x, self.enter(dy))[0])

    def running(self):
        if getattr(self.module, "running_mean", None) is None:
            return None
        kept = {"mean": self.module.running_mean, "var": self.module.running_var}
        kept = {key: vector(value.to(oneflow.float32).numpy()) for key, value in kept.items()}
        if getattr(self.module, "num_batches_tracked", None) is not None:
            kept["count"] = self.module.num_batches_tracked.numpy()
        return kept

    def set_running(self, mean, var):
        self.module.running_mean.copy_(oneflow.tensor(mean))
        self.module.running_var.copy_(oneflow.tensor(var))
