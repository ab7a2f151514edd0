"""bottleneck's variances."""

import bottleneck
import numpy as np
from function_contract import keyword


def versions():
    return {"bottleneck": bottleneck.__version__, "numpy": np.__version__}


def along(axis):
    return lambda x, storage, ddof: bottleneck.nanvar(x, axis=axis, **keyword(ddof))


def moving(x, storage, ddof):
    return bottleneck.move_var(x, len(x), **keyword(ddof))[-1]


FUNCTIONS = {"nanvar": along(None), "nanvar, axis -1": along(-1), "nanvar, axis 0": along(0), "move_var": moving}
