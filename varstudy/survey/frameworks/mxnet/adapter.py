"""Apache MXNet: Gluon's normalisation layers, and the operators below them, by autograd and by a bound symbol."""

import re

import mxnet as mx
import numpy as np
from layer_contract import AdapterLayer, arguments_of, given

FRAMEWORK = "mxnet"
VARIANTS = {
    "batch": {
        "NCHW": "gluon.nn.BatchNorm on NCHW",
        "NHWC": "gluon.nn.BatchNorm(axis=3) on NHWC",
        "2-D": "gluon.nn.BatchNorm on (N, C)",
        "operator": "nd.BatchNorm on NCHW, recorded by autograd",
        "symbol": "sym.BatchNorm on NCHW, bound to an executor",
        "symbol v1": "sym.BatchNorm_v1 on NCHW, bound to an executor",
    },
    "layer": {
        "2-D": "gluon.nn.LayerNorm on (N, C), over C",
        "channels": "gluon.nn.LayerNorm on NHWC, over C at each pixel",
    },
    "group": {"NCHW": "gluon.nn.GroupNorm on NCHW"},
    "instance": {"NCHW": "gluon.nn.InstanceNorm on NCHW", "NHWC": "gluon.nn.InstanceNorm(axis=3) on NHWC"},
}
LAYERS = {
    "batch": mx.gluon.nn.BatchNorm,
    "layer": mx.gluon.nn.LayerNorm,
    "group": mx.gluon.nn.GroupNorm,
    "instance": mx.gluon.nn.InstanceNorm,
}
DTYPES = {"float32": "float32", "float16": "float16", "bfloat16": np.dtype([("bfloat16", np.uint16)])}
SYMBOLS = {"symbol": mx.sym.BatchNorm, "symbol v1": mx.sym.BatchNorm_v1}
DOCUMENTED = re.compile(r"^(\w+) : .*, optional, default='?([^'\n]+)'?$", re.MULTILINE)


def versions():
    return {"mxnet": mx.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    dtype = DTYPES[dtype]
    if variant in SYMBOLS:
        return Symbol(SYMBOLS[variant], channels, dtype, epsilon, momentum)
    if variant == "operator":
        return Operator(mx.nd.BatchNorm, channels, dtype, epsilon, momentum)
    return Gluon(kind, variant, channels, dtype, epsilon, momentum, groups)


class Recorded(AdapterLayer):
    """What autograd records: `net` is the layer, on MXNet's own layout."""

    def tensor(self, x):
        return mx.nd.array(x, dtype="float32").astype(self.dtype)

    def array(self, y):
        return y.astype("float32").asnumpy()

    def call(self, x, training):
        with mx.autograd.record(train_mode=True) if training else mx.autograd.predict_mode():
            return self.net(x)

    def backward(self, x, dy):
        data = self.enter(x)
        data.attach_grad()
        self.call(data, True).backward(self.enter(dy))
        mx.nd.waitall()
        return self.leave(data.grad)


class Gluon(Recorded):
    def __init__(self, kind, variant, channels, dtype, epsilon, momentum, groups):
        self.arguments = arguments_of(LAYERS[kind])
        options = given(epsilon=epsilon, momentum=momentum, num_groups=groups)
        if kind != "group":
            options["in_channels"] = channels
        self.last = variant in ("NHWC", "channels")
        if variant == "NHWC":
            options["axis"] = 3
        self.dtype = dtype
        self.net = LAYERS[kind](**options)
        self.net.initialize()
        if kind != "batch":  # whose parameters and statistics are float32 whatever the data are
            self.net.cast(dtype)

    def kept(self):
        if not hasattr(self.net, "running_mean"):
            return None
        return self.net.running_mean.data(), self.net.running_var.data()

    def set_running(self, mean, var):
        self.net.running_mean.set_data(mx.nd.array(mean))
        self.net.running_var.set_data(mx.nd.array(var))


class Operator(Recorded):
    def __init__(self, operator, channels, dtype, epsilon, momentum):
        self.operator = operator
        self.arguments = defaults(operator)
        self.options = given(eps=epsilon, momentum=momentum)
        self.dtype = dtype
        self.gamma, self.beta = mx.nd.ones(channels), mx.nd.zeros(channels)
        self.mean, self.var = mx.nd.zeros(channels), mx.nd.ones(channels)

    def net(self, data):
        return self.operator(data, self.gamma, self.beta, self.mean, self.var, **self.options)

    def kept(self):
        return self.mean, self.var

    def set_running(self, mean, var):
        self.mean[:] = mean
        self.var[:] = var


class Symbol(Operator):
    """An executor is bound for each shape of the input; the statistics stay in the same two arrays."""

    def __init__(self, operator, channels, dtype, epsilon, momentum):
        super().__init__(operator, channels, dtype, epsilon, momentum)
        parameters = (mx.sym.Variable(name) for name in ("data", "gamma", "beta"))
        self.symbol = operator(*parameters, name="norm", **self.options)

    def bound(self, x):
        data = self.enter(x)
        return self.symbol.bind(
            mx.cpu(),
            {"data": data, "gamma": self.gamma, "beta": self.beta},
            args_grad={"data": mx.nd.zeros_like(data)},
            grad_req={"data": "write", "gamma": "null", "beta": "null"},
            aux_states={"norm_moving_mean": self.mean, "norm_moving_var": self.var},
        )

    def train(self, x):
        return self.leave(self.bound(x).forward(is_train=True)[0])

    def backward(self, x, dy):
        executor = self.bound(x)
        executor.forward(is_train=True)
        executor.backward(self.enter(dy))
        mx.nd.waitall()
        return self.leave(executor.grad_dict["data"])

    def evaluate(self, x):
        return self.leave(self.bound(x).forward(is_train=False)[0])


def defaults(operator):
    """An operator's registered defaults: its Python signature has none, its generated docstring has."""
    found = dict(DOCUMENTED.findall(operator.__doc__))
    return {name: float(found[name]) for name in ("eps", "momentum") if name in found}
