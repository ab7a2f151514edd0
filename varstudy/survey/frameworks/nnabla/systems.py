"""Neural Network Libraries (nnabla) on its CPU back end: parametric_functions.weight_normalization."""

import nnabla as nn
import nnabla.parametric_functions as parametric
import numpy as np


def versions():
    return {"nnabla": nn.__version__}


def weight(x, given):
    if x.dtype != np.float32:
        raise TypeError("the CPU back end computes in float32")
    nn.clear_parameters()
    v = nn.Variable.from_numpy_array(x)
    options = {"dim": given["axis"]} if "axis" in given else {}
    w = parametric.weight_normalization(v, **options)
    (g,) = nn.get_parameters().values()
    if "g" in given:
        g.d = given["g"]
    w.forward()
    return {"y": w.d, "g": g.d}
