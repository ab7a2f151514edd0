"""What an adapter gives, so that one probe can question every framework's normalisation layers.

An adapter is the ``adapter.py`` of a framework's folder. It parses under Python 3.6 and imports its framework, numpy,
this module (``from layer_contract import ...``), and one that adapters share (``keras_layers``, ``flax_modules``,
``onnx_models``).
It answers and never judges: no expected value, no catching of the framework's exceptions. It has

``FRAMEWORK``
    the framework's name.
``versions()``
    a dict such as {"torch": "2.13.0"}, read at run time.
``set_threads(n)``
    optional; apart from OMP_NUM_THREADS and its like, which are set before the process starts.
``VARIANTS``
    kind -> variant -> one sentence. Kinds: batch, layer, group, instance, rms; those that it lacks are left out.
    A variant is an input rank, a memory layout, a back end, an opset. **A variant with "2-D" in its name is asked
    with arrays (N, C); every other one with arrays (N, C, H, W).** The statistics are taken

    ========  =======================================================================================
    batch     for each channel C, over N (and H, W)
    layer     for each N over C ("2-D") or over C, H, W; a variant whose name begins with "channels": for each
              N, H, W over C
    group     for each N and each of `groups` groups of consecutive channels, over them and H, W
    instance  for each N and C, over H, W
    rms       for each N over C ("2-D"), root mean square; other variants as layer
    ========  =======================================================================================
``layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None)``
    a fresh layer, trainable, scale 1 and shift 0. None stands for the framework's own default: the argument is not
    handed over. `momentum` is handed over as the framework's own argument, whatever that means there. `dtype` is
    float32, float16 or bfloat16. Raises `Unsupported` with a sentence for what the framework has not (a dtype, an
    argument, ...). A further parameter ``spatial=None``, if it is there, gets (H, W), or None for a 2-D variant, for
    frameworks that must know the whole shape beforehand; ``batch=None``, if it is there, gets N of the first batch.

The layer is an object with

``arguments``
    names and defaults of the framework's signature (see `arguments_of`); {} where there is none to be read.
``train(x)``
    one forward pass in training mode; statistics move as the framework moves them there. Returns y.
``backward(x, dy)``
    one forward and backward pass in training mode, of sum(y * dy). Returns dx.
``evaluate(x)``
    inference mode. Returns y.
``running()``
    {"mean": 1-D, "var": 1-D} exactly as the framework keeps them, None where it keeps none. Further state in further
    keys (a "count", a "scale" that the kept sums are to be divided by, "hidden_mean" and "hidden_var").
``set_running(mean, var)``
    optional: puts these 1-D float32 statistics in, of a layer that may be fresh; `evaluate` comes next.
``update()``
    optional, only for a framework whose user moves the running statistics in a call of its own after `train`:
    that call.

`AdapterLayer` has what most of these objects do alike. A method that the framework cannot serve is left out, or raises
`Unsupported`. x, dy, y and dx are numpy arrays in the canonical layout, (N, C) or (N, C, H, W); the adapter transposes
where its framework wants another. x and dy come in the layer's dtype (float16 as numpy's; bfloat16 as float32 values
that bfloat16 represents, and the adapter casts); y and dx go back as numpy float32 or float64, an exact widening of
what the framework gave (see `widen`).

A further file of the folder, ``elements.py``, is optional, and gives whole arrays by functions. It has `versions` and,
where it can, `set_threads`, as above, and

``forward(kind, x, asked)``
    {"y": (array, dtype's name)}.
``backward(kind, x, dy, asked)``
    the gradients of sum(y * dy): {"dx": ..., "dweight": ..., "dbias": ...} in the same form; what the framework does
    not give is left out.

x and dy are (N, C) or (N, C, H, W), as above; layer and RMS norm take (N, C) over C. asked has ``dtype``,
``parameters`` (``same``, ``float32`` or ``absent``: the format of scale and shift), ``weight``, ``bias`` (None where
absent), ``memory`` (``contiguous`` or ``channels-last``), ``training``, ``mean`` and ``variance`` (None in training),
``groups``, ``epsilon``. Arrays go back widened, with the name of the dtype that they had. What the framework has not
raises `Unsupported`.
"""

import inspect

import numpy as np

__all__ = [
    "AdapterLayer",
    "Unsupported",
    "arguments_of",
    "check_dtype",
    "given",
    "to_canonical",
    "to_channels_last",
    "vector",
    "widen",
]


class Unsupported(Exception):
    """The framework has not what is asked for; the message is one sentence."""


def to_channels_last(x):
    """(N, C, H, W) to a contiguous (N, H, W, C); (N, C) as it is."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


def to_canonical(y):
    """(N, H, W, C) to a contiguous (N, C, H, W); (N, C) as it is."""
    return np.ascontiguousarray(y.transpose(0, 3, 1, 2)) if y.ndim == 4 else y


def widen(y):
    """An array of any float type as float32, or as float64 where it is that; no value changes."""
    y = np.asarray(y)
    return y if y.dtype in (np.float32, np.float64) else y.astype(np.float32)


def vector(values):
    """A 1-D float array of a framework's statistics, whatever their shape."""
    return widen(values).reshape(-1)


def given(**arguments):
    """The arguments that are not None: those that are handed over."""
    return {name: value for name, value in arguments.items() if value is not None}


class AdapterLayer(object):
    """What the layers of most adapters do alike. An adapter's own has

    ``tensor(x)``
        an array in the framework's layout as a tensor of the layer's dtype, which shares nothing with the array.
    ``array(y)``
        a tensor as a numpy array of its dtype, or of a wider one.
    ``call(x, training)``
        the layer on a tensor, in that mode.
    ``kept()``
        the running mean and variance as the framework has them; None, as here, where it keeps none.
    """

    arguments = {}
    last = False  # whether the channels are the last axis of the framework's layout

    def enter(self, x):
        """An array in the canonical layout as a tensor."""
        return self.tensor(to_channels_last(np.asarray(x)) if self.last else np.asarray(x))

    def leave(self, y):
        """A tensor as an array in the canonical layout."""
        y = widen(self.array(y))
        return to_canonical(y) if self.last else y

    def train(self, x):
        return self.leave(self.call(self.enter(x), True))

    def evaluate(self, x):
        return self.leave(self.call(self.enter(x), False))

    def kept(self):
        return None

    def running(self):
        kept = self.kept()
        if kept is None:
            return None
        mean, var = kept
        return {"mean": vector(self.array(mean)), "var": vector(self.array(var))}


def check_dtype(found, wanted):
    """Refuse a result of another dtype than the input's.

    Raises
    ------
    TypeError
        They differ.
    """
    if found != wanted:
        raise TypeError("%s went in and %s came out" % (wanted, found))


def arguments_of(*callables):
    """{name: default} of the arguments of signatures that have a plain default (number, string, bool, None).

    Parameters
    ----------
    callables : functions or classes; earlier ones win. One without a readable signature adds nothing.
    """
    found = {}
    for one in callables:
        try:
            parameters = inspect.signature(one).parameters.values()
        except (TypeError, ValueError):
            continue
        for parameter in parameters:
            if parameter.default is None or isinstance(parameter.default, (bool, int, float, str)):
                found.setdefault(parameter.name, parameter.default)
    return found
