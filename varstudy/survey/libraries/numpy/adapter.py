"""numpy's variances."""

import numpy as np
from function_contract import keyword


def versions():
    return {"numpy": np.__version__}


def along(axis, function=np.var):
    return lambda x, storage, ddof: function(x, axis=axis, **keyword(ddof))


def reversed_memory(x, storage, ddof):
    """The same rows in memory's other order. One row alone has but one order: it gets a twin."""
    twin = np.concatenate([x, x]) if len(x) == 1 else x
    return np.var(np.asfortranarray(twin), axis=-1, **keyword(ddof))[: len(x)]


FUNCTIONS = {
    "1-D": along(None),
    "axis -1": along(-1),
    "axis 0": along(0),
    "axis -1, Fortran order": reversed_memory,
    "nanvar": along(None, np.nanvar),
    "float64": lambda x, storage, ddof: np.var(x, dtype=np.float64, **keyword(ddof)),
}
