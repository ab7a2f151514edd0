"""MegEngine: the layers of megengine.module on the processor, by its gradient manager."""

import numpy as np
from layer_contract import Unsupported, arguments_of, to_canonical, to_channels_last, vector

import megengine as mge
from megengine import autodiff
from megengine import module as modules

FRAMEWORK = "megengine"
VARIANTS = {
    "batch": {"NCHW": "module.BatchNorm2d on NCHW", "2-D": "module.BatchNorm1d on (N, C)"},
    "layer": {
        "2-D": "module.LayerNorm on (N, C), over C",
        "NCHW": "module.LayerNorm on NCHW, over C, H, W",
        "channels": "module.LayerNorm on NHWC, over C at each pixel",
    },
    "group": {"NCHW": "module.GroupNorm on NCHW"},
    "instance": {"NCHW": "module.InstanceNorm on NCHW"},
}
CLASSES = {"layer": modules.LayerNorm, "group": modules.GroupNorm, "instance": modules.InstanceNorm}


def versions():
    return {"megengine": mge.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    if dtype == "bfloat16":
        raise Unsupported("MegEngine's bfloat16 is a type of storage that its layers do not take on the processor.")
    if kind != "batch" and momentum is not None:
        raise Unsupported("Only BatchNorm has a momentum.")
    given = {"eps": epsilon, "momentum": momentum}
    given = {name: value for name, value in given.items() if value is not None}
    if kind == "batch":
        make, sizes = (modules.BatchNorm1d if variant == "2-D" else modules.BatchNorm2d), (channels,)
    else:
        whole = (channels,) + tuple(spatial or ())
        size = whole if (kind, variant) == ("layer", "NCHW") else channels
        make, sizes = CLASSES[kind], (groups, channels) if kind == "group" else (size,)
    return Layer(make(*sizes, **given), make, dtype, variant == "channels")


class Layer(object):
    def __init__(self, module, make, dtype, last):
        self.module, self.dtype, self.last = module, dtype, last
        self.arguments = arguments_of(make.__init__)
        if dtype != "float32" and not isinstance(module, (modules.BatchNorm1d, modules.BatchNorm2d)):
            for parameter in module.parameters():  # BatchNorm keeps float32 parameters, and takes no others
                parameter[...] = parameter.astype(dtype)

    def enter(self, x):
        x = to_channels_last(x) if self.last else x
        return mge.tensor(np.ascontiguousarray(x, self.dtype))

    def leave(self, y):
        y = y.numpy().astype(np.float32)
        return to_canonical(y) if self.last else y

    def train(self, x):
        self.module.train()
        return self.leave(self.module(self.enter(x)))

    def evaluate(self, x):
        self.module.eval()
        return self.leave(self.module(self.enter(x)))

    def backward(self, x, dy):
        self.module.train()
        x, manager = self.enter(x), autodiff.GradManager()
        manager.attach([x])
        with manager:
            manager.backward(self.module(x), dy=self.enter(dy))
        return self.leave(x.grad)

    def running(self):
        if not hasattr(self.module, "running_mean"):
            return None
        return {"mean": vector(self.module.running_mean.numpy()), "var": vector(self.module.running_var.numpy())}

    def set_running(self, mean, var):
        for kept, values in ((self.module.running_mean, mean), (self.module.running_var, var)):
            kept[...] = mge.tensor(values.reshape(kept.shape))
