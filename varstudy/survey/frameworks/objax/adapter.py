"""Objax: its batch and group normalisation, written in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import objax
from layer_contract import AdapterLayer, arguments_of, given

FRAMEWORK = "objax"
VARIANTS = {
    "batch": {
        "NCHW": "nn.BatchNorm2D on NCHW",
        "NHWC": "nn.BatchNorm(redux=(0, 1, 2)) on NHWC",
        "2-D": "nn.BatchNorm0D on (N, C)",
    },
    "group": {"NCHW": "nn.GroupNorm2D on NCHW"},
}


def versions():
    return {"objax": objax.__version__, "jax": jax.__version__}


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None):
    options = given(eps=epsilon, momentum=momentum, groups=groups)
    if kind == "group":
        made, of = objax.nn.GroupNorm2D(channels, **options), objax.nn.GroupNorm2D
    elif variant == "NHWC":
        made, of = objax.nn.BatchNorm((1, 1, 1, channels), (0, 1, 2), **options), objax.nn.BatchNorm
    else:
        of = objax.nn.BatchNorm0D if variant == "2-D" else objax.nn.BatchNorm2D
        made = of(channels, **options)
    return Layer(made, arguments_of(of), dtype, variant == "NHWC")


class Layer(AdapterLayer):
    """Objax has no dtype argument: parameters and statistics are float32, and outputs as JAX promotes them."""

    def __init__(self, net, arguments, dtype, last):
        self.net, self.arguments, self.dtype, self.last = net, arguments, dtype, last

    def tensor(self, x):
        return jnp.asarray(x, dtype=self.dtype)

    def array(self, y):
        return y

    def call(self, x, training):
        return self.net(x, training=training)

    def backward(self, x, dy):
        dy = self.enter(dy)
        gradient = objax.Grad(lambda x: (self.net(x, training=True) * dy).sum(), self.net.vars(), input_argnums=(0,))
        return self.leave(gradient(self.enter(x))[0])

    def kept(self):
        if not hasattr(self.net, "running_mean"):
            return None
        return self.net.running_mean.value, self.net.running_var.value

    def set_running(self, mean, var):
        for kept, values in ((self.net.running_mean, mean), (self.net.running_var, var)):
            kept.value = jnp.asarray(np.reshape(values, kept.value.shape))
