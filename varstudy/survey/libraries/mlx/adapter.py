"""mlx' variance, on its CPU."""

from importlib.metadata import version

import mlx.core as mx
import numpy as np
from function_contract import Answer, keyword

mx.set_default_device(mx.cpu)


def versions():
    return {"mlx": version("mlx"), "numpy": np.__version__}


def along(axis):
    def call(x, storage, ddof):
        kind = {"bfloat16": mx.bfloat16, "float64": mx.float64}.get(storage)
        made = mx.array(x) if kind is None else mx.array(x, dtype=kind)
        found = mx.var(made, axis=axis, **keyword(ddof))
        if found.dtype == mx.bfloat16:
            return Answer(np.array(found.astype(mx.float32)), "bfloat16")
        return np.array(found)

    return call


FUNCTIONS = {"var": along(None), "var, axis -1": along(-1), "var, axis 0": along(0)}
