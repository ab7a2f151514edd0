"""What Keras 3 and tf_keras have in common: the names and arguments of their layers, and how a layer is called."""

from layer_contract import AdapterLayer, Unsupported, arguments_of, check_dtype, given, vector

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
    options = given(dtype=dtype, epsilon=epsilon, momentum=momentum)
    if kind == "group":
        options["groups"] = groups
    elif kind == "instance":
        options["groups"] = -1
    if variant == "NCHW":
        options["axis"] = 1
    elif kind == "layer" and variant == "NHWC":
        options["axis"] = (1, 2, 3)
    if "not fused" in variant:
        options["fused"] = False
    if "synchronized" in variant:
        options["synchronized"] = True
    last = variant.startswith(("NHWC", "channels"))
    shape = (None, channels) if spatial is None else (None, *spatial, channels) if last else (None, channels, *spatial)
    net = getattr(layers, NAMES[kind])(**options)
    net.build(shape)
    return net, last


def for_elements(layers, policy, kind, x, asked):
    """A layer for `elements.py`, its parameters by the names of gradients, and whether the channels come last.

    Parameters
    ----------
    layers : the module that has them. policy : makes a policy of dtypes by its name.
    """
    last = asked["memory"] == "channels-last"
    if not hasattr(layers, NAMES[kind]):
        raise Unsupported("It has no %s." % NAMES[kind])
    if not asked["training"] and kind != "batch":
        raise Unsupported("Only batch norm has another output in evaluation.")
    if kind == "instance" and not last:
        raise Unsupported("A group norm of one channel a group is asked for in channels-last alone.")
    options = {"epsilon": asked["epsilon"], "dtype": asked["dtype"]}
    if asked["parameters"] == "float32":  # what Keras calls mixed
        options["dtype"] = policy("float32" if asked["dtype"] == "float32" else "mixed_" + asked["dtype"])
    if x.ndim == 4 or kind == "batch":
        options["axis"] = -1 if last or x.ndim == 2 else 1
    if kind in ("group", "instance"):
        options["groups"] = asked["groups"] if kind == "group" else -1
    absent = asked["weight"] is None
    if absent and kind == "rms":
        raise Unsupported("RMSNormalization always has a scale.")
    if absent:
        options.update(center=False, scale=False)
    layer = getattr(layers, NAMES[kind])(**options)
    layer.build((x.shape[0], *x.shape[2:], x.shape[1]) if last else x.shape)
    parameters = {}
    if not absent:
        parameters["dweight"] = layer.scale if kind == "rms" else layer.gamma
        if kind != "rms":
            parameters["dbias"] = layer.beta
        for name, variable in parameters.items():
            variable.assign(asked["weight" if name == "dweight" else "bias"].astype("float32"))
    if not asked["training"]:
        layer.moving_mean.assign(asked["mean"].astype("float32"))
        layer.moving_variance.assign(asked["variance"].astype("float32"))
    return layer, parameters, last


def called(layer, kind, x, asked):
    """A layer of `for_elements` on a tensor."""
    return layer(x, training=asked["training"]) if kind == "batch" else layer(x)


class Layer(AdapterLayer):
    """A layer, called eagerly. An adapter's own adds `backward(x, dy)` and

    ``tensor(x)``, an array as a tensor of its dtype; ``named(y)``, a tensor's dtype by name; ``numpy(y)``, a tensor as
    an array of float32 or wider; ``value_of(variable)``, a variable's array.
    """

    def __init__(self, kind, net, dtype, last):
        self.arguments = arguments_of(type(net))
        self.net = net
        self.dtype = dtype
        self.last = last
        self.moves = kind == "batch"

    def array(self, y):
        check_dtype(self.named(y), self.dtype)
        return self.numpy(y)

    def mode(self, training):
        return {"training": training} if self.moves else {}

    def call(self, x, training):
        return self.net(x, **self.mode(training))

    def taped(self, tensorflow, x, dy):
        """The gradient by TensorFlow's tape."""
        x = self.enter(x)
        with tensorflow.GradientTape() as tape:
            tape.watch(x)
            y = self.call(x, True)
        return self.leave(tape.gradient(y, x, output_gradients=self.enter(dy)))

    def running(self):
        if not self.moves:
            return None
        kept = {"mean": self.net.moving_mean, "var": self.net.moving_variance}
        return {name: vector(self.value_of(value)) for name, value in kept.items()}

    def set_running(self, mean, var):
        self.net.moving_mean.assign(mean)
        self.net.moving_variance.assign(var)
