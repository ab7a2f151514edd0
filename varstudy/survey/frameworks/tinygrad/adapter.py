"""tinygrad's layers on its CPU back end, which compiles C with clang: DEV=CPU CC=clang-14 unless the caller says."""

import os

os.environ.setdefault("DEV", "CPU")
os.environ.setdefault("CC", "clang-14")

import numpy as np
from layer_contract import AdapterLayer, Unsupported, arguments_of, check_dtype, given, vector
from tinygrad import Context, Tensor, dtypes, nn

FRAMEWORK = "tinygrad"
VARIANTS = {
    "batch": {"NCHW": "BatchNorm on NCHW", "2-D": "BatchNorm on (N, C)"},
    "layer": {
        "2-D": "LayerNorm(C) on (N, C)",
        "NCHW": "LayerNorm((C, H, W)) on NCHW",
        "channels": "LayerNorm(C) on NHWC",
    },
    "group": {"NCHW": "GroupNorm on NCHW", "2-D": "GroupNorm on (N, C)"},
    "instance": {"NCHW": "InstanceNorm on NCHW"},
    "rms": {"2-D": "RMSNorm(C) on (N, C)"},
}
DTYPES = {
    "float32": dtypes.float32,
    "float64": dtypes.float64,
    "float16": dtypes.float16,
    "bfloat16": dtypes.bfloat16,
}


def versions():
    from importlib.metadata import version

    return {"tinygrad": version("tinygrad")}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    options = given(eps=epsilon, momentum=momentum)
    if kind == "batch":
        made = nn.BatchNorm(channels, **options)
    elif kind == "layer":
        made = nn.LayerNorm((channels, *spatial) if variant == "NCHW" else channels, **options)
    elif kind == "group":
        made = nn.GroupNorm(groups, channels, **options)
    elif kind == "instance":
        made = nn.InstanceNorm(channels, **options)
    else:
        made = nn.RMSNorm(channels, **options)
    return Layer(made, DTYPES[dtype], variant == "channels")


class Layer(AdapterLayer):
    """Scale, shift and statistics are cast to the dtype of the input: otherwise the output is not in it."""

    def __init__(self, made, dtype, last):
        self.arguments = arguments_of(type(made))
        self.made = made
        self.dtype = dtype
        self.last = last
        for name in ("weight", "bias", "running_mean", "running_var"):
            if getattr(made, name, None) is not None:
                setattr(made, name, getattr(made, name).cast(dtype).contiguous().realize())

    def tensor(self, x):
        return Tensor(np.ascontiguousarray(x)).cast(self.dtype).contiguous().realize()

    def array(self, y):
        check_dtype(y.dtype, self.dtype)
        y = y.contiguous().realize()  # in its own dtype first: a cast fused into the kernel would skip the rounding
        wide = dtypes.float64 if self.dtype == dtypes.float64 else dtypes.float32
        return y.cast(wide).numpy()

    def train(self, x):
        with Context(TRAINING=1):
            return self.leave(self.made(self.enter(x)))

    def backward(self, x, dy):
        with Context(TRAINING=1):
            x = self.enter(x)
            return self.leave(self.made(x).gradient(x, gradient=self.enter(dy))[0])

    def evaluate(self, x):
        with Context(TRAINING=0):
            return self.leave(self.made(self.enter(x)))

    def running(self):
        if not hasattr(self.made, "running_mean"):
            return None
        return {
            "mean": vector(self.made.running_mean.float().numpy()),
            "var": vector(self.made.running_var.float().numpy()),
            "count": int(self.made.num_batches_tracked.item()),
        }

    def set_running(self, mean, var):
        if not hasattr(self.made, "running_mean"):
            raise Unsupported("This layer keeps no running statistics.")
        self.made.running_mean.assign(Tensor(mean).cast(self.dtype)).realize()
        self.made.running_var.assign(Tensor(var).cast(self.dtype)).realize()
