"""What Keras 3 and tf_keras have in common: the names and arguments of their layers, and how a layer is called."""

import numpy as np
from layer_contract import arguments_of, to_canonical, to_channels_last, vector, widen

VARIANTS = {
    "layer": {
        "2-D": "LayerNormalization on (N, C), over C",
        "NHWC": "LayerNormalization(axis=(1, 2, 3)) on NHWC",
        "channels": "LayerNormalization on NHWC, over C at each pixel",
    },
    "group": {
        "NHWC": "GroupNormalization(axis=-1) on NHWC",
        "NCHW": "GroupNormalization(axis=1) on NCHW",
        "2-D": "GroupNormalization on (N, C)",
    },
    "instance": {"NHWC": "GroupNormalization(groups=-1) on NHWC: a group for each channel"},
}  # the batch norms are each adapter's own
NAMES = {
    "batch": "BatchNormalization",
    "layer": "LayerNormalization",
    "group": "GroupNormalization",
    "instance": "GroupNormalization",
    "rms": "RMSNormalization",
}


def built(layers, kind, variant, channels, dtype, epsilon, momentum, groups, spatial):
    """A layer of the module `layers`, built for its input, and whether the channels come last there."""
    given = {"dtype": dtype}
    if epsilon is not None:
        given["epsilon"] = epsilon
    if momentum is not None:
        given["momentum"] = momentum
    if kind == "group":
        given["groups"] = groups
    elif kind == "instance":
        given["groups"] = -1
    if variant == "NCHW":
        given["axis"] = 1
    elif kind == "layer" and variant == "NHWC":
        given["axis"] = (1, 2, 3)
    if "not fused" in variant:
        given["fused"] = False
    if "synchronized" in variant:
        given["synchronized"] = True
    last = variant.startswith(("NHWC", "channels"))
    shape = (None, channels) if spatial is None else (None, *spatial, channels) if last else (None, channels, *spatial)
    net = getattr(layers, NAMES[kind])(**given)
    net.build(shape)
    return net, last


class Layer:
    """A layer, called eagerly. An adapter's own adds `backward(x, dy)` and

    ``cast(x)``, an array as a tensor of its dtype; ``named(y)``, a tensor's dtype by name; ``numpy(y)``, a tensor as an
    array of float32 or wider; ``kept(variable)``, a variable's array.
    """

    def __init__(self, kind, net, dtype, last):
        self.arguments = arguments_of(type(net))
        self.net = net
        self.dtype = dtype
        self.last = last
        self.moves = kind == "batch"

    def tensor(self, x):
        return self.cast(to_channels_last(np.asarray(x)) if self.last else np.asarray(x))

    def array(self, y):
        found = self.named(y)
        if found != self.dtype:
            raise TypeError(f"{self.dtype} went in and {found} came out")
        y = widen(self.numpy(y))
        return to_canonical(y) if self.last else y

    def mode(self, training):
        return {"training": training} if self.moves else {}

    def train(self, x):
        return self.array(self.net(self.tensor(x), **self.mode(True)))

    def evaluate(self, x):
        return self.array(self.net(self.tensor(x), **self.mode(False)))

    def taped(self, tensorflow, x, dy):
        """The gradient by TensorFlow's tape."""
        x = self.tensor(x)
        with tensorflow.GradientTape() as tape:
            tape.watch(x)
            y = self.net(x, **self.mode(True))
        return self.array(tape.gradient(y, x, output_gradients=self.tensor(dy)))

    def running(self):
        if not self.moves:
            return None
        kept = {"mean": self.net.moving_mean, "var": self.net.moving_variance}
        return {name: vector(self.kept(value)) for name, value in kept.items()}

    def set_running(self, mean, var):
        self.net.moving_mean.assign(mean)
        self.net.moving_variance.assign(var)
