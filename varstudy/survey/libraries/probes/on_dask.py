# mypy: ignore-errors
# ruff: noqa: E402, I001, PLC0415, PLW1510, PTH123, PTH207, RUF005, RUF100, UP022

"""dask's variance, of arrays cut into chunks."""

import dask
import dask.array
import numpy as np
from contract import keyword


def versions():
    return {"dask": dask.__version__, "numpy": np.__version__}


def set_threads(n):
    dask.config.set(scheduler="threads", num_workers=n)


def chunked(x, storage, ddof):
    return dask.array.from_array(x, chunks=1000).var(**keyword(ddof)).compute()


FUNCTIONS = {"array.var": chunked}
