"""Jittor: the layers of jittor.nn on the processor.

Jittor compiles itself with g++ at its first import and each operator at its first use; what it compiles is kept in the
environment's folder ``home``.
"""

import os
import sys

os.environ.setdefault("JITTOR_HOME", os.path.join(sys.prefix, "home"))
os.environ.setdefault("nvcc_path", "")
os.environ.setdefault("use_mkl", "0")
os.environ.setdefault("cc_path", "g++")

import jittor as jt
import numpy as np
from layer_contract import AdapterLayer, Unsupported, arguments_of, given

FRAMEWORK = "jittor"
VARIANTS = {
    "batch": {"NCHW": "nn.BatchNorm on NCHW", "2-D": "nn.BatchNorm on (N, C)"},
    "layer": {
        "2-D": "nn.LayerNorm on (N, C), over C",
        "NCHW": "nn.LayerNorm on NCHW, over C, H, W",
        "channels": "nn.LayerNorm on NHWC, over C at each pixel",
    },
    "group": {"NCHW": "nn.GroupNorm on NCHW"},
    "instance": {"NCHW": "nn.InstanceNorm on NCHW"},
}
CLASSES = {
    "batch": jt.nn.BatchNorm,
    "layer": jt.nn.LayerNorm,
    "group": jt.nn.GroupNorm,
    "instance": jt.nn.InstanceNorm,
}


def versions():
    return {"jittor": jt.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    options = given(eps=epsilon, momentum=momentum)
    if "momentum" in options and kind in ("layer", "group"):
        raise Unsupported("Jittor's %s has no momentum." % CLASSES[kind].__name__)
    size = [channels] + list(spatial) if (kind, variant) == ("layer", "NCHW") else channels
    sizes = (groups, channels) if kind == "group" else (size,)
    return Layer(CLASSES[kind](*sizes, **options), dtype, variant == "channels")


class Layer(AdapterLayer):
    def __init__(self, module, dtype, last):
        self.arguments = arguments_of(type(module).__init__)
        self.module, self.dtype, self.last = module, dtype, last
        if dtype != "float32":
            getattr(module, dtype)()

    def tensor(self, x):
        return jt.array(np.ascontiguousarray(x, np.float32)).cast(self.dtype)

    def array(self, y):
        """As float32. Computed first: Jittor fuses what follows with it, and then never rounds to its type."""
        y.sync()
        return y.float32().numpy()

    def call(self, x, training):
        (self.module.train if training else self.module.eval)()
        return self.module(x)

    def backward(self, x, dy):
        self.module.train()
        x = self.enter(x)
        loss = (self.module(x) * self.enter(dy)).sum()
        return self.leave(jt.grad(loss, x))

    def kept(self):
        return (self.module.running_mean, self.module.running_var) if hasattr(self.module, "running_mean") else None

    def set_running(self, mean, var):
        self.module.running_mean.update(jt.array(mean).cast(self.module.running_mean.dtype))
        self.module.running_var.update(jt.array(var).cast(self.module.running_var.dtype))
