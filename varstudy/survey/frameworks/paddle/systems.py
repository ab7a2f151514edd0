"""PaddlePaddle's paddle.nn.utils.weight_norm on the CPU."""

import numpy as np
import paddle


def versions():
    return {"paddle": paddle.__version__}


def weight(x, given):
    if x.dtype != np.float32:
        raise TypeError("the CPU computes float32")
    layer = paddle.nn.Linear(x.shape[0], x.shape[1], bias_attr=False)
    layer.weight.set_value(x)
    options = {"dim": given["axis"]} if "axis" in given else {}
    paddle.nn.utils.weight_norm(layer, **options)
    g = layer.weight_g
    if "g" in given:
        g.set_value(np.full(g.shape, given["g"], np.float32))
    layer(paddle.eye(x.shape[0]))  # computes the weight first
    return {"y": layer.weight.numpy(), "g": g.numpy()}
