"""dask's variance, of arrays cut into chunks."""

import dask
import dask.array
import numpy as np
from function_contract import keyword


def versions():
    return {"dask": dask.__version__, "numpy": np.__version__}


def set_threads(n):
    dask.config.set(scheduler="threads", num_workers=n)


def chunked(x, storage, ddof):
    return dask.array.from_array(x, chunks=1000).var(**keyword(ddof)).compute()


FUNCTIONS = {"array.var": chunked}
