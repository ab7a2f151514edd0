"""PaddlePaddle on its CPU kernels, in its dynamic mode."""

import paddle
import paddle.incubate.nn.functional as incubated
from layer_contract import AdapterLayer, Unsupported, arguments_of, given

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
    options = given(epsilon=epsilon, momentum=momentum, data_format="NHWC" if variant == "NHWC" else None)
    if kind == "group":
        net = of(groups, channels, **options)
    else:
        whole = kind == "layer" and variant == "NCHW"
        net = of((channels,) + tuple(spatial) if whole else channels, **options)
    net.to(dtype=dtype)
    return Layer(net, arguments_of(of), dtype, variant in ("NHWC", "channels"))


class Layer(AdapterLayer):
    def __init__(self, net, arguments, dtype, last=False):
        self.net, self.arguments, self.dtype, self.last = net, arguments, dtype, last

    def tensor(self, x):
        return paddle.to_tensor(x).astype(self.dtype)

    def array(self, y):
        return y.astype("float32").numpy()

    def call(self, x, training):
        (self.net.train if training else self.net.eval)()
        return self.net(x)

    def backward(self, x, dy):
        x = self.enter(x)
        x.stop_gradient = False
        return self.leave(paddle.grad(self.call(x, True), x, self.enter(dy))[0])

    def kept(self):
        return (self.net._mean, self.net._variance) if hasattr(self.net, "_mean") else None

    def set_running(self, mean, var):
        self.net._mean.set_value(mean)
        self.net._variance.set_value(var)


class RootMeanSquare(Layer):
    """A function, whose epsilon has no default; of Paddle's RMS norms the only one with a CPU kernel."""

    def __init__(self, channels, dtype, epsilon):
        if epsilon is None:
            raise Unsupported("fused_rms_norm has no default epsilon.")
        Layer.__init__(self, None, arguments_of(incubated.fused_rms_norm), dtype)
        self.scale, self.epsilon = paddle.ones([channels], dtype), epsilon

    def call(self, x, training):
        return incubated.fused_rms_norm(x, self.scale, None, self.epsilon, 1)[0]
