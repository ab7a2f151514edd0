"""scipy's variances."""

import numpy as np
import scipy
import scipy.ndimage
import scipy.stats
from function_contract import keyword, only


def versions():
    return {"scipy": scipy.__version__, "numpy": np.__version__}


def moment(x, storage, ddof):
    only(ddof, 0)
    return scipy.stats.moment(x, 2)


def ndimage(x, storage, ddof):
    only(ddof, 0)
    return scipy.ndimage.variance(x)


FUNCTIONS = {
    "stats.describe": lambda x, storage, ddof: scipy.stats.describe(x, axis=None, **keyword(ddof)).variance,
    "stats.tvar": lambda x, storage, ddof: scipy.stats.tvar(x, **keyword(ddof)),
    "stats.moment": moment,
    "ndimage.variance": ndimage,
}
