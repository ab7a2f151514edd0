"""numba's own np.var, compiled."""

import numba
import numpy as np
from function_contract import fixed


@numba.njit
def var(x):
    return np.var(x)


@numba.njit
def nanvar(x):
    return np.nanvar(x)


@numba.njit(fastmath=True)
def fast_var(x):
    return np.var(x)


def versions():
    return {"numba": numba.__version__, "numpy": np.__version__}


def set_threads(n):
    numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))


FUNCTIONS = {"np.var": fixed(0, var), "np.nanvar": fixed(0, nanvar), "np.var, fastmath": fixed(0, fast_var)}
