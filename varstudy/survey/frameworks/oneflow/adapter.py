"""OneFlow: the layers of oneflow.nn on the processor. Not RMSNorm, of which OneFlow 0.9 has no kernel for it."""

import numpy as np
import oneflow
from layer_contract import AdapterLayer, Unsupported, arguments_of, given
from oneflow import nn

FRAMEWORK = "oneflow"
VARIANTS = {
    "batch": {"NCHW": "nn.BatchNorm2d on NCHW", "2-D": "nn.BatchNorm1d on (N, C)"},
    "layer": {
        "2-D": "nn.LayerNorm on (N, C), over C",
        "NCHW": "nn.LayerNorm on NCHW, over C, H, W",
        "channels": "nn.LayerNorm on NHWC, over C at each pixel",
    },
    "group": {"NCHW": "nn.GroupNorm on NCHW"},
    "instance": {"NCHW": "nn.InstanceNorm2d on NCHW"},
}
CLASSES = {
    ("batch", "2-D"): nn.BatchNorm1d,
    "batch": nn.BatchNorm2d,
    "layer": nn.LayerNorm,
    "group": nn.GroupNorm,
    "instance": nn.InstanceNorm2d,
}


def versions():
    return {"oneflow": oneflow.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    make = CLASSES.get((kind, variant)) or CLASSES[kind]
    options = given(eps=epsilon, momentum=momentum)
    if momentum is not None and kind not in ("batch", "instance"):
        raise Unsupported("OneFlow's %s has no momentum." % make.__name__)
    if (kind, variant) == ("layer", "NCHW"):
        channels = (channels,) + tuple(spatial)
    sizes = (groups, channels) if kind == "group" else (channels,)
    return Layer(make(*sizes, **options), make, dtype, variant == "channels")


class Layer(AdapterLayer):
    def __init__(self, module, make, dtype, last):
        self.arguments = arguments_of(make.__init__)
        self.module, self.dtype, self.last = module.to(getattr(oneflow, dtype)), dtype, last

    def tensor(self, x):
        return oneflow.tensor(np.ascontiguousarray(x, np.float32)).to(getattr(oneflow, self.dtype))

    def array(self, y):
        return y.detach().to(oneflow.float32).numpy()

    def call(self, x, training):
        self.module.train(training)
        return self.module(x)

    def backward(self, x, dy):
        self.module.train()
        x = self.enter(x).requires_grad_()
        y = self.module(x)
        return self.leave(oneflow.autograd.grad(y, x, self.enter(dy))[0])

    def kept(self):
        if getattr(self.module, "running_mean", None) is None:
            return None
        return self.module.running_mean, self.module.running_var

    def running(self):
        found = AdapterLayer.running(self)
        if found is not None and getattr(self.module, "num_batches_tracked", None) is not None:
            found["count"] = self.module.num_batches_tracked.numpy()
        return found

    def set_running(self, mean, var):
        self.module.running_mean.copy_(oneflow.tensor(mean))
        self.module.running_var.copy_(oneflow.tensor(var))
