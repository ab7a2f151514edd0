"""MLX's modules on the CPU, differentiated by mlx.core.vjp."""

import mlx.core as mx
import numpy as np
from layer_contract import Unsupported, arguments_of, to_canonical, to_channels_last, vector, widen
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
    given = {}
    if epsilon is not None:
        given["eps"] = epsilon
    if momentum is not None:
        given["momentum"] = momentum
    if kind == "group":
        given["pytorch_compatible"] = "pytorch" in variant
        module = nn.GroupNorm(groups, channels, **given)
    else:
        makers = {"batch": nn.BatchNorm, "layer": nn.LayerNorm, "instance": nn.InstanceNorm, "rms": nn.RMSNorm}
        module = makers[kind](channels, **given)
    module.set_dtype(DTYPES[dtype])
    order = np.arange(channels)
    if kind == "group" and "pytorch" not in variant:
        order = order.reshape(groups, -1).T.reshape(-1)
    return Layer(module, DTYPES[dtype], order)


class Layer:
    """Parameters and statistics are in the dtype of the input: otherwise the output is not."""

    def __init__(self, module, dtype, order):
        self.arguments = arguments_of(type(module))
        self.module = module
        self.dtype = dtype
        self.order = order

    def tensor(self, x):
        return mx.array(to_channels_last(np.asarray(x)[:, self.order])).astype(self.dtype)

    def array(self, y):
        if y.dtype != self.dtype:
            raise TypeError(f"{self.dtype} went in and {y.dtype} came out")
        wide = mx.float64 if self.dtype == mx.float64 else mx.float32
        return to_canonical(widen(np.array(y.astype(wide))))[:, np.argsort(self.order)]

    def train(self, x):
        self.module.train()
        return self.array(self.module(self.tensor(x)))

    def backward(self, x, dy):
        self.module.train()
        _, (dx,) = mx.vjp(self.module, [self.tensor(x)], [self.tensor(dy)])
        return self.array(dx)

    def evaluate(self, x):
        self.module.eval()
        return self.array(self.module(self.tensor(x)))

    def running(self):
        if "running_mean" not in self.module:
            return None
        kept = {"mean": self.module.running_mean, "var": self.module.running_var}
        return {name: vector(np.array(value.astype(mx.float32))) for name, value in kept.items()}

    def set_running(self, mean, var):
        if "running_mean" not in self.module:
            raise Unsupported("This module keeps no running statistics.")
        self.module.running_mean = mx.array(mean).astype(self.dtype)
        self.module.running_var = mx.array(var).astype(self.dtype)
