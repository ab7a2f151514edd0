"""scipy's variances."""

import numpy as np
import scipy
import scipy.ndimage
import scipy.stats
from function_contract import fixed, keyword


def versions():
    return {"scipy": scipy.__version__, "numpy": np.__version__}


FUNCTIONS = {
    "stats.describe": lambda x, storage, ddof: scipy.stats.describe(x, axis=None, **keyword(ddof)).variance,
    "stats.tvar": lambda x, storage, ddof: scipy.stats.tvar(x, **keyword(ddof)),
    "stats.moment": fixed(0, lambda x: scipy.stats.moment(x, 2)),
    "ndimage.variance": fixed(0, scipy.ndimage.variance),
}
