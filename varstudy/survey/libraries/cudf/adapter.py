"""cudf's variance, on a GPU."""

import cudf
import numpy as np
from function_contract import keyword


def versions():
    return {"cudf": cudf.__version__, "numpy": np.__version__}


FUNCTIONS = {"Series.var": lambda x, storage, ddof: cudf.Series(x).var(**keyword(ddof))}
