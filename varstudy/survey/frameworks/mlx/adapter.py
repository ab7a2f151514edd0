"""MLX's modules on the CPU, differentiated by mlx.core.vjp."""

import mlx.core as mx
import numpy as np
from layer_contract import AdapterLayer, Unsupported, arguments_of, check_dtype, given
from mlx import nn

mx.set_default_device(mx.cpu)

FRAMEWORK = "mlx"
VARIANTS = {
    "batch": {"NHWC": "BatchNorm on NHWC", "2-D": "BatchNorm on (N, C)"},
    "layer": {"2-D": "LayerNorm on (N, C)", "channels": "LayerNorm on NHWC, over C at each pixel"},
    "group": {
        "NHWC": "GroupNorm on NHWC: a group is every groups-th channel, and the channels are reordered for it",
        "NHWC, pytorch_compatible": "GroupNorm(pytorch_compatible=True) on NHWC: a group is consecutive channels",
    },
    "instance": {"NHWC": "InstanceNorm on NHWC"},
    "rms": {"2-D": "RMSNorm on (N, C)"},
}
DTYPES = {"float32": mx.float32, "float64": mx.float64, "float16": mx.float16, "bfloat16": mx.bfloat16}


def versions():
    return {"mlx": mx.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    options = given(eps=epsilon, momentum=momentum)
    if kind == "group":
        module = nn.GroupNorm(groups, channels, pytorch_compatible="pytorch" in variant, **options)
    else:
        makers = {"batch": nn.BatchNorm, "layer": nn.LayerNorm, "instance": nn.InstanceNorm, "rms": nn.RMSNorm}
        module = makers[kind](channels, **options)
    module.set_dtype(DTYPES[dtype])
    order = np.arange(channels)
    if kind == "group" and "pytorch" not in variant:
        order = order.reshape(groups, -1).T.reshape(-1)
    return Layer(module, DTYPES[dtype], order)


class Layer(AdapterLayer):
    """Parameters and statistics are in the dtype of the input: otherwise the output is not."""

    last = True

    def __init__(self, module, dtype, order):
        self.arguments = arguments_of(type(module))
        self.module = module
        self.dtype = dtype
        self.order = order

    def enter(self, x):
        return AdapterLayer.enter(self, np.asarray(x)[:, self.order])

    def leave(self, y):
        check_dtype(y.dtype, self.dtype)
        return AdapterLayer.leave(self, y)[:, np.argsort(self.order)]

    def tensor(self, x):
        return mx.array(x).astype(self.dtype)

    def array(self, y):
        return np.array(y.astype(mx.float64 if y.dtype == mx.float64 else mx.float32))

    def call(self, x, training):
        self.module.train(training)
        return self.module(x)

    def backward(self, x, dy):
        self.module.train()
        _, (dx,) = mx.vjp(self.module, [self.enter(x)], [self.enter(dy)])
        return self.leave(dx)

    def kept(self):
        return (self.module.running_mean, self.module.running_var) if "running_mean" in self.module else None

    def set_running(self, mean, var):
        if "running_mean" not in self.module:
            raise Unsupported("This module keeps no running statistics.")
        self.module.running_mean = mx.array(mean).astype(self.dtype)
        self.module.running_var = mx.array(var).astype(self.dtype)
