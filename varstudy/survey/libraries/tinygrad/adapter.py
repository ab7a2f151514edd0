"""tinygrad's variance, on its CPU back end."""

import os
import shutil
from importlib.metadata import version

os.environ["DEV"] = "CPU"
if shutil.which("clang") is None and shutil.which("clang-14"):
    os.environ["CC"] = "clang-14"  # as Debian names it

import numpy as np
from function_contract import Answer, keyword
from tinygrad import Tensor, dtypes


def versions():
    return {"tinygrad": version("tinygrad"), "numpy": np.__version__}


def along(axis):
    def call(x, storage, ddof):
        made = Tensor(x)
        if storage == "bfloat16":
            made = made.cast(dtypes.bfloat16)
        found = made.var(axis=axis, **keyword(ddof, "correction"))
        if found.dtype == dtypes.bfloat16:
            return Answer(found.cast(dtypes.float32).numpy(), "bfloat16")
        return found.numpy()

    return call


FUNCTIONS = {"Tensor.var": along(None), "Tensor.var, axis -1": along(-1), "Tensor.var, axis 0": along(0)}
