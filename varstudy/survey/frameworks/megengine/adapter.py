"""MegEngine: the layers of megengine.module on the processor, by its gradient manager."""

import numpy as np
from layer_contract import AdapterLayer, Unsupported, arguments_of, given

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
    options = given(eps=epsilon, momentum=momentum)
    if kind == "batch":
        make, sizes = (modules.BatchNorm1d if variant == "2-D" else modules.BatchNorm2d), (channels,)
    else:
        whole = (channels,) + tuple(spatial or ())
        size = whole if (kind, variant) == ("layer", "NCHW") else channels
        make, sizes = CLASSES[kind], (groups, channels) if kind == "group" else (size,)
    return Layer(make(*sizes, **options), make, dtype, variant == "channels")


class Layer(AdapterLayer):
    def __init__(self, module, make, dtype, last):
        self.module, self.dtype, self.last = module, dtype, last
        self.arguments = arguments_of(make.__init__)
        if dtype != "float32" and not isinstance(module, (modules.BatchNorm1d, modules.BatchNorm2d)):
            for parameter in module.parameters():  # BatchNorm keeps float32 parameters, and takes no others
                parameter[...] = parameter.astype(dtype)

    def tensor(self, x):
        return mge.tensor(np.ascontiguousarray(x, self.dtype))

    def array(self, y):
        return y.numpy()

    def call(self, x, training):
        self.module.train(training)
        return self.module(x)

    def backward(self, x, dy):
        self.module.train()
        x, manager = self.enter(x), autodiff.GradManager()
        manager.attach([x])
        with manager:
            manager.backward(self.module(x), dy=self.enter(dy))
        return self.leave(x.grad)

    def kept(self):
        return (self.module.running_mean, self.module.running_var) if hasattr(self.module, "running_mean") else None

    def set_running(self, mean, var):
        for kept, values in ((self.module.running_mean, mean), (self.module.running_var, var)):
            kept[...] = mge.tensor(values.reshape(kept.shape))
