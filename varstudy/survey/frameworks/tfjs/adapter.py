"""TensorFlow.js: the layers of @tensorflow/tfjs on its plain JavaScript back end, in a child process of Node's.

The environment's folder ``node`` holds the package; ``tfjs.js``, next to this file, is the other end of the pipe.
"""

import base64
import json
import os
import subprocess
import sys

import numpy as np
from layer_contract import AdapterLayer, Unsupported, given

FRAMEWORK = "tfjs"
VARIANTS = {
    "batch": {
        "NHWC": "tf.layers.batchNormalization() on NHWC, TensorFlow.js's own layout",
        "NCHW": "tf.layers.batchNormalization({axis: 1}) on NCHW",
        "2-D": "tf.layers.batchNormalization() on (N, C)",
    },
    "layer": {
        "2-D": "tf.layers.layerNormalization() on (N, C), over C",
        "channels": "tf.layers.layerNormalization() on NHWC, over C at each pixel",
        "NCHW": "tf.layers.layerNormalization({axis: [1, 2, 3]}) on NCHW",
    },
}
NAMES = {"batch": "batchNormalization", "layer": "layerNormalization"}
NODE = []  # the process, once it runs


class TensorFlowJsError(RuntimeError):
    """What TensorFlow.js threw."""


def ask(do, **question):
    if not NODE:
        here = os.path.dirname(os.path.abspath(__file__))
        modules = os.path.join(sys.prefix, "node", "node_modules")
        NODE.append(
            subprocess.Popen(
                ["node", os.path.join(here, "tfjs.js")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=dict(os.environ, NODE_PATH=modules),
                universal_newlines=True,
            )
        )
    process = NODE[0]
    process.stdin.write(json.dumps(dict(question, do=do)) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("Node ended with exit status %s." % process.wait())
    answer = json.loads(line)
    if "error" in answer:
        raise TensorFlowJsError(answer["error"])
    return answer["answer"]


def encode(array):
    array = np.ascontiguousarray(array, "<f4")
    return {"shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}


def decode(answer):
    return np.frombuffer(base64.b64decode(answer["data"]), "<f4").reshape(answer["shape"])


def versions():
    return ask("versions")


def layer(kind, variant, channels, dtype="float32", epsilon=None, momentum=None, groups=None, spatial=None):
    if dtype != "float32":
        raise Unsupported("TensorFlow.js has no %s on its JavaScript back end." % dtype)
    if kind != "batch" and momentum is not None:
        raise Unsupported("Only batchNormalization has a momentum.")
    options = given(epsilon=epsilon, momentum=momentum)
    if variant == "NCHW":
        options["axis"] = 1 if kind == "batch" else [1, 2, 3]
    last = variant in ("NHWC", "channels")
    shape = [None, channels] + list(spatial or ())
    shape = [None] + list(spatial) + [channels] if last else shape
    return Layer(ask("layer", name=NAMES[kind], options=options, shape=shape), last)


class Layer(AdapterLayer):
    def __init__(self, made, last):
        self.number, self.arguments, self.last = made["number"], made["arguments"], last
        self.tensor, self.array = encode, decode

    def call(self, x, training):
        return ask("forward", number=self.number, x=x, training=training)

    def backward(self, x, dy):
        return self.leave(ask("backward", number=self.number, x=self.enter(x), dy=self.enter(dy)))

    def running(self):
        found = ask("running", number=self.number)
        return None if found is None else {key: decode(value) for key, value in found.items()}

    def set_running(self, mean, var):
        ask("set_running", number=self.number, mean=encode(mean), var=encode(var))
