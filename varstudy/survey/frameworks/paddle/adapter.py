"""PaddlePaddle on its CPU kernels, in its dynamic mode."""

import paddle
import paddle.incubate.nn.functional as incubated
from layer_contract import Unsupported, arguments_of, to_canonical, to_channels_last, vector, widen

FRAMEWORK = "paddle"
VARIANTS = {
    "batch": {
        "NCHW": "nn.BatchNorm2D on NCHW",
        "NHWC": "nn.BatchNorm2D(data_format='NHWC') on NHWC",
        "2-D": "nn.BatchNorm1D on (N, C)",
    },
    "layer": {
        "2-D": "nn.LayerNorm(C) on (N, C)",
        "NCHW": "nn.LayerNorm((C, H, W)) on NCHW",
        "channels": "nn.LayerNorm(C) on NHWC, over C at each pixel",
    },
    "group": {
        "NCHW": "nn.GroupNorm on NCHW",
        "NHWC": "nn.GroupNorm(data_format='NHWC') on NHWC",
    },
    "instance": {"NCHW": "nn.InstanceNorm2D on NCHW"},
    "rms": {"2-D": "incubate.nn.functional.fused_rms_norm on (N, C)"},
}
LAYERS = {
    "batch": paddle.nn.BatchNorm2D,
    "layer": paddle.nn.LayerNorm,
    "group": paddle.nn.GroupNorm,
    "instance": paddle.nn.InstanceNorm2D,
}


def versions():
    return {"paddle": paddle.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    if kind == "rms":
        return RootMeanSquare(channels, dtype, epsilon)
    of = paddle.nn.BatchNorm1D if kind == "batch" and variant == "2-D" else LAYERS[kind]
    given = {"epsilon": epsilon, "momentum": momentum}
    if variant == "NHWC":
        given["data_format"] = "NHWC"
    given = {name: value for name, value in given.items() if value is not None}
    if kind == "group":
        net = of(groups, channels, **given)
    else:
        whole = kind == "layer" and variant == "NCHW"
        net = of((channels,) + tuple(spatial) if whole else channels, **given)
    net.to(dtype=dtype)
    return Layer(net, arguments_of(of), dtype, variant in ("NHWC", "channels"))


class Layer(object):
    def __init__(self, net, arguments, dtype, last=False):
        self.net, self.arguments, self.dtype, self.last = net, arguments, dtype, last

    def enter(self, x):
        return paddle.to_tensor(to_channels_last(x) if self.last else x).astype(self.dtype)

    def leave(self, y):
        y = widen(y.astype("float32").numpy())
        return to_canonical(y) if self.last else y

    def train(self, x):
        self.net.train()
        return self.leave(self.net(self.enter(x)))

    def backward(self, x, dy):
        self.net.train()
        x = self.enter(x)
        x.stop_gradient = False
        return self.leave(paddle.grad(self.net(x), x, self.enter(dy))[0])

    def evaluate(self, x):
        self.net.eval()
        return self.leave(self.net(self.enter(x)))

    def running(self):
        if not hasattr(self.net, "_mean"):
            return None
        kept = {"mean": self.net._mean, "var": self.net._variance}
        return {name: vector(value.astype("float32").numpy()) for name, value in kept.items()}

    def set_running(self, mean, var):
        self.net._mean.set_value(mean)
        self.net._variance.set_value(var)


class RootMeanSquare(Layer):
    """A function, whose epsilon has no default; of Paddle's RMS norms the only one with a CPU kernel."""

    def __init__(self, channels, dtype, epsilon):
        if epsilon is None:
            raise Unsupported("fused_rms_norm has no default epsilon.")
        scale = paddle.ones([channels], dtype)
        Layer.__init__(self, None, arguments_of(incubated.fused_rms_norm), dtype)
        self.train = self.evaluate = lambda x: self.leave(self.call(self.enter(x)))
        self.call = lambda x: incubated.fused_rms_norm(x, scale, None, epsilon, 1)[0]

    def backward(self, x, dy):
        x = self.enter(x)
        x.stop_gradient = False
        return self.leave(paddle.grad(self.call(x), x, self.enter(dy))[0])
