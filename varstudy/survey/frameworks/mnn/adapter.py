"""MNN: the batch_norm module of its Python training interface; float32 alone.

The module's arguments are positional: an epsilon can be given with a momentum only, so that one asked for alone comes
with the momentum 0.99 that MNN documents as its default.
"""

import MNN
import MNN.expr as F
import numpy as np
from layer_contract import Unsupported, vector
from MNN import nn, optim

FRAMEWORK = "mnn"
VARIANTS = {
    "batch": {"NCHW": "nn.batch_norm(channels, 4) on NCHW", "2-D": "nn.batch_norm(channels, 2) on (N, C)"},
}
DOCUMENTED_MOMENTUM = 0.99

F.lazy_eval(True)  # without it results are constants, and there is no graph to take a gradient of


def versions():
    return {"MNN": MNN.version()}


def set_threads(n):
    F.set_thread_number(n)


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    if dtype != "float32":
        raise Unsupported("MNN's training arrays are float32 on this processor.")
    arguments = [channels, 2 if variant == "2-D" else 4]
    if epsilon is not None:
        arguments += [DOCUMENTED_MOMENTUM if momentum is None else momentum, epsilon]
    elif momentum is not None:
        arguments += [momentum]
    return BatchNorm(nn.batch_norm(*arguments))


def constant(array):
    return F.const(np.ascontiguousarray(array, np.float32), list(array.shape), F.NCHW)


def plain(variable):
    return np.array(F.convert(variable, F.NCHW).read())


class BatchNorm:
    arguments = {}  # a built-in function without a signature

    def __init__(self, module):
        self.module = module

    def forward(self, x, training):
        self.module.train(training)
        return plain(self.module.forward(constant(x)))

    def train(self, x):
        return self.forward(x, True)

    def evaluate(self, x):
        return self.forward(x, False)

    def backward(self, x, dy):
        self.module.train(True)
        x = constant(x)
        y = F.convert(self.module.forward(x), F.NCHW)
        _, gradients = optim.Grad(self.module).grad([y], [constant(dy)], [x])
        return plain(gradients[0])

    def running(self):
        _, _, var, mean = self.module.parameters
        return {"mean": vector(mean.read()), "var": vector(var.read())}

    def set_running(self, mean, var):
        scale, shift, old_var, old_mean = self.module.parameters
        new = [constant(var.reshape(old_var.shape)), constant(mean.reshape(old_mean.shape))]
        self.module.load_parameters([scale, shift, *new])
