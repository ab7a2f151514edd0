"""ncnn: its normalisation layers, each alone in a net, one sample at a time. Inference only.

Half-precision storage is switched on by the dtype and off for float32; a layer that does not keep it is not asked.
"""

import ncnn
import numpy as np
from layer_contract import Unsupported, to_canonical, to_channels_last

FRAMEWORK = "ncnn"
VARIANTS = {
    "batch": {"NCHW": "BatchNorm on samples (C, H, W)", "2-D": "BatchNorm on samples (C,)"},
    "layer": {
        "2-D": "LayerNorm on samples (C,)",
        "channels": "LayerNorm on samples (H, W, C), over C at each pixel",
    },
    "group": {"NCHW": "GroupNorm on samples (C, H, W)"},
    "instance": {"NCHW": "InstanceNorm on samples (C, H, W)"},
    "rms": {"2-D": "RMSNorm on samples (C,)"},
}
# kind -> the layer, the number of its epsilon parameter, its other parameters (no scale and shift where it has them)
LAYERS = {
    "batch": ("BatchNorm", 1, "0={channels}"),
    "layer": ("LayerNorm", 1, "0={channels} 2=0"),
    "group": ("GroupNorm", 2, "0={groups} 1={channels} 3=0"),
    "instance": ("InstanceNorm", 1, "0={channels} 2=0"),
    "rms": ("RMSNorm", 1, "0={channels} 2=0"),
}
THREADS = [1]


def versions():
    return {"ncnn": ncnn.__version__}


def set_threads(n):
    THREADS[0] = n


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    if momentum is not None:
        raise Unsupported("ncnn's BatchNorm has no momentum: it does not train.")
    name, number, others = LAYERS[kind]
    if dtype != "float32" and not getattr(ncnn.create_layer(name), "support_%s_storage" % SHORT[dtype]):
        raise Unsupported("ncnn's %s does not keep %s on this processor." % (name, dtype))
    parameters = others.format(channels=channels, groups=groups)
    if epsilon is not None:
        parameters += " %d=%r" % (number, float(epsilon))
    one = BatchNorm if kind == "batch" else Normalisation
    return one(name, parameters, channels, dtype, variant)


SHORT = {"float16": "fp16", "bfloat16": "bf16"}


class Normalisation:
    """A layer without state: training and inference are the same pass."""

    arguments = {}  # the parameters of a layer are numbers in a text

    def __init__(self, name, parameters, channels, dtype, variant):
        self.text = "7767517\n2 2\nInput in 0 1 in\n%s norm 1 1 in out %s\n" % (name, parameters)
        self.dtype, self.last = dtype, variant == "channels"

    def weights(self):
        return b""

    def forward(self, x):
        net = ncnn.Net()
        net.opt.use_vulkan_compute = False
        net.opt.num_threads = THREADS[0]
        half = self.dtype == "float16"
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = half
        net.opt.use_bf16_storage = net.opt.use_bf16_packed = self.dtype == "bfloat16"
        if net.load_param_mem(self.text):
            raise RuntimeError("ncnn does not load this layer's parameters: " + self.text.splitlines()[-1])
        net.load_model_mem(self.weights())
        x = to_channels_last(x) if self.last else x
        y = np.stack([self.one(net, np.ascontiguousarray(sample, np.float32)) for sample in x])
        return to_canonical(y) if self.last else y

    @staticmethod
    def one(net, sample):
        with net.create_extractor() as extractor:
            code = extractor.input("in", ncnn.Mat(sample).clone())
            if code == 0:
                code, out = extractor.extract("out")
            if code:
                raise RuntimeError("ncnn returned %d." % code)
            return np.array(out)

    train = evaluate = forward

    def running(self):
        return None


class BatchNorm(Normalisation):
    """Its weights are scale, mean, variance and shift, in this order."""

    def __init__(self, name, parameters, channels, dtype, variant):
        super().__init__(name, parameters, channels, dtype, variant)
        self.scale, self.shift = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        self.mean = self.var = None

    def train(self, x):
        raise Unsupported("ncnn's BatchNorm does not train.")

    def evaluate(self, x):
        if self.mean is None:
            raise Unsupported("ncnn's BatchNorm has no statistics of its own: they come with the model.")
        return self.forward(x)

    def weights(self):
        return b"".join(array.tobytes() for array in (self.scale, self.mean, self.var, self.shift))

    def running(self):
        return None if self.mean is None else {"mean": self.mean, "var": self.var}

    def set_running(self, mean, var):
        self.mean, self.var = np.array(mean, np.float32), np.array(var, np.float32)
