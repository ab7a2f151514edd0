"""PyTorch: torch.nn's normalisation modules on the CPU, eager, with torch.autograd."""

import torch
from layer_contract import AdapterLayer, Unsupported, arguments_of, check_dtype, given, vector

FRAMEWORK = "torch"
VARIANTS = {
    "batch": {
        "NCHW": "BatchNorm2d, contiguous input; parameters and statistics in the input's dtype",
        "channels-last": "BatchNorm2d, input in torch.channels_last memory; parameters in the input's dtype",
        "NCHW, mixed": "BatchNorm2d, contiguous input; parameters and statistics in float32",
        "2-D": "BatchNorm1d on (N, C)",
    },
    "layer": {
        "2-D": "LayerNorm(C) on (N, C)",
        "NCHW": "LayerNorm((C, H, W))",
        "channels": "LayerNorm(C) on NHWC",
    },
    "group": {
        "NCHW": "GroupNorm, contiguous input",
        "channels-last": "GroupNorm, input in torch.channels_last memory",
        "2-D": "GroupNorm on (N, C)",
    },
    "instance": {
        "NCHW": "InstanceNorm2d, contiguous input",
        "channels-last": "InstanceNorm2d, input in torch.channels_last memory",
    },
    "rms": {"2-D": "RMSNorm(C) on (N, C)"},
}
DTYPES = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16, "bfloat16": torch.bfloat16}


def versions():
    return {"torch": torch.__version__}


def set_threads(n):
    torch.set_num_threads(n)


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    if dtype not in DTYPES:
        raise Unsupported(f"The torch adapter has no dtype {dtype}.")
    kept = torch.float32 if "mixed" in variant else DTYPES[dtype]
    options = given(dtype=kept, eps=epsilon, momentum=momentum)
    if kind == "batch":
        make, first = (torch.nn.BatchNorm1d if variant == "2-D" else torch.nn.BatchNorm2d), (channels,)
    elif kind == "layer":
        make, first = torch.nn.LayerNorm, ((channels, *spatial) if variant == "NCHW" else channels,)
    elif kind == "group":
        make, first = torch.nn.GroupNorm, (groups, channels)
    elif kind == "instance":
        make, first = torch.nn.InstanceNorm2d, (channels,)
    else:
        make, first = torch.nn.RMSNorm, (channels,)
    return Layer(make(*first, **options), DTYPES[dtype], variant)


class Layer(AdapterLayer):
    def __init__(self, module, dtype, variant):
        self.arguments = arguments_of(type(module))
        self.module = module
        self.dtype = dtype
        self.last = variant == "channels"
        self.channels_last = variant == "channels-last"

    def tensor(self, x):
        x = torch.tensor(x).to(self.dtype)  # a copy, so that nothing is shared with the caller
        return x.contiguous(memory_format=torch.channels_last) if self.channels_last else x

    def array(self, y):
        check_dtype(y.dtype, self.dtype)
        wide = torch.float64 if self.dtype == torch.float64 else torch.float32
        return y.detach().to(wide).contiguous().numpy()

    def call(self, x, training):
        self.module.train(training)
        with torch.set_grad_enabled(training):
            return self.module(x)

    def backward(self, x, dy):
        self.module.train()
        x = self.enter(x).requires_grad_(True)
        self.module(x).backward(self.enter(dy))
        return self.leave(x.grad)

    def running(self):
        if getattr(self.module, "running_mean", None) is None:
            return None
        kept = {"mean": self.module.running_mean, "var": self.module.running_var}
        kept = {name: vector(value.double().numpy()) for name, value in kept.items()}
        kept["count"] = int(self.module.num_batches_tracked)
        return kept

    def set_running(self, mean, var):
        if getattr(self.module, "running_mean", None) is None:
            raise Unsupported("This module keeps no running statistics.")
        self.module.running_mean.copy_(torch.tensor(mean))
        self.module.running_var.copy_(torch.tensor(var))
