"""MindSpore: the cells of mindspore.nn on the processor, run operator by operator.

Not here, since MindSpore 2.10 has no kernels of them for the processor: BatchNorm2d on NHWC, InstanceNorm2d,
ops.rms_norm, and the normalisation layers of mindspore.mint.nn.
"""

import mindspore
import numpy as np
from layer_contract import AdapterLayer, Unsupported, arguments_of, given
from mindspore import nn

FRAMEWORK = "mindspore"
VARIANTS = {
    "batch": {
        "NCHW": "nn.BatchNorm2d on NCHW",
        "2-D": "nn.BatchNorm1d on (N, C)",
    },
    "layer": {
        "2-D": "nn.LayerNorm on (N, C), over C",
        "NCHW": "nn.LayerNorm on NCHW, over C, H, W",
        "channels": "nn.LayerNorm on NHWC, over C at each pixel",
    },
    "group": {"NCHW": "nn.GroupNorm on NCHW"},
}
CELLS = {
    ("batch", "2-D"): nn.BatchNorm1d,
    "batch": nn.BatchNorm2d,
    "layer": nn.LayerNorm,
    "group": nn.GroupNorm,
}

mindspore.set_context(mode=mindspore.PYNATIVE_MODE, device_target="CPU")


def versions():
    return {"mindspore": mindspore.__version__}


def set_threads(n):
    mindspore.set_context(runtime_num_threads=n)


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    dtype = getattr(mindspore, dtype)
    if momentum is not None and kind != "batch":
        raise Unsupported("Only BatchNorm has a momentum.")
    make = CELLS.get((kind, variant)) or CELLS[kind]
    options = given(**{"momentum": momentum, "epsilon" if make is nn.LayerNorm else "eps": epsilon})
    sizes = (groups, channels) if kind == "group" else (channels,)
    if kind == "layer":
        whole = (kind, variant) == ("layer", "NCHW")
        sizes = ((channels,) + tuple(spatial) if whole else (channels,),)
        if whole:
            options.update(begin_norm_axis=1, begin_params_axis=1)
    cell = make(*sizes, dtype=dtype, **options)
    return Layer(cell, make.__init__, dtype, variant == "channels")


class Layer(AdapterLayer):
    def __init__(self, cell, signed, dtype, last):
        self.arguments = arguments_of(signed)
        self.cell, self.dtype, self.last = cell, dtype, last

    def tensor(self, x):
        return mindspore.Tensor(np.ascontiguousarray(x, np.float32)).astype(self.dtype)

    def array(self, y):
        return y.astype(mindspore.float32).asnumpy()

    def call(self, x, training):
        self.cell.set_train(training)
        return self.cell(x)

    def backward(self, x, dy):
        self.cell.set_train(True)
        dy = self.enter(dy)
        gradient = mindspore.grad(lambda values: (self.cell(values) * dy).sum())
        return self.leave(gradient(self.enter(x)))

    def kept(self):
        for names in (("moving_mean", "moving_variance"), ("running_mean", "running_var")):
            if getattr(self.cell, names[0], None) is not None:
                return [getattr(self.cell, name) for name in names]
        return None

    def set_running(self, mean, var):
        kept_mean, kept_var = self.kept()
        kept_mean.set_data(mindspore.Tensor(mean, kept_mean.dtype))
        kept_var.set_data(mindspore.Tensor(var, kept_var.dtype))
