"""Keras 3's layers on the back end that KERAS_BACKEND names, called eagerly: outputs and gradients."""

import importlib

import keras
import keras_layers
import numpy as np
from layer_contract import Unsupported, to_canonical, to_channels_last

BACKEND = keras.backend.backend()


def versions():
    below = importlib.import_module(BACKEND)
    return {"keras": keras.__version__, BACKEND: below.__version__}


def set_threads(n):
    below = importlib.import_module(BACKEND)
    if BACKEND == "torch":
        below.set_num_threads(n)
    elif BACKEND == "tensorflow":
        below.config.threading.set_intra_op_parallelism_threads(n)
        below.config.threading.set_inter_op_parallelism_threads(1)


def tensor(x, asked, last):
    x = to_channels_last(np.asarray(x)) if last else np.asarray(x)
    return keras.ops.cast(keras.ops.convert_to_tensor(x), asked["dtype"])


def given(y, last=False):
    wide = keras.ops.convert_to_numpy(keras.ops.cast(y, "float32"))
    return (to_canonical(wide) if last else wide), keras.backend.standardize_dtype(y.dtype)


def prepared(kind, x, asked):
    return keras_layers.for_elements(keras.layers, keras.DTypePolicy, kind, x, asked)


def forward(kind, x, asked):
    layer, _, last = prepared(kind, x, asked)
    return {"y": given(keras_layers.called(layer, kind, tensor(x, asked, last), asked), last)}


def backward(kind, x, dy, asked):
    layer, parameters, last = prepared(kind, x, asked)
    x, dy = tensor(x, asked, last), tensor(dy, asked, last)
    values = list(parameters.values())
    if BACKEND == "tensorflow":
        tensorflow = importlib.import_module(BACKEND)
        with tensorflow.GradientTape() as tape:
            tape.watch(x)
            y = keras_layers.called(layer, kind, x, asked)
        dx, *moved = tape.gradient(y, [x, *(v.value for v in values)], output_gradients=dy)
    elif BACKEND == "torch":
        x = x.detach().requires_grad_(True)
        keras_layers.called(layer, kind, x, asked).backward(dy)
        dx, moved = x.grad, [v.value.grad for v in values]
    elif BACKEND == "jax":
        import jax

        trained = [v.value for v in layer.trainable_variables]
        kept = [v.value for v in layer.non_trainable_variables]
        mode = {"training": True} if kind == "batch" else {}
        _, pull, _ = jax.vjp(
            lambda trained, x: layer.stateless_call(trained, kept, x, **mode), trained, x, has_aux=True
        )
        each, dx = pull(dy)
        own = {id(v): g for v, g in zip(layer.trainable_variables, each, strict=True)}
        moved = [own[id(v)] for v in values]
    else:
        raise Unsupported("Keras has no gradients on its %s back end." % BACKEND)
    return dict(zip(parameters, map(given, moved), strict=True), dx=given(dx, last))
