"""PaddlePaddle's variance."""

import numpy as np
import paddle
from function_contract import Answer

paddle.set_device("cpu")


def versions():
    return {"paddle": paddle.__version__, "numpy": np.__version__}


def along(axis):
    def call(x, storage, ddof):
        made = paddle.to_tensor(x)
        if storage == "bfloat16":
            made = made.astype("bfloat16")
        keywords = {} if ddof is None else {"unbiased": bool(ddof)}
        found = paddle.var(made, axis=axis, **keywords)
        if found.dtype == paddle.bfloat16:
            return Answer(found.astype("float32").numpy(), "bfloat16")
        return found.numpy()

    return call


FUNCTIONS = {"var": along(None), "var, axis -1": along(-1), "var, axis 0": along(0)}
