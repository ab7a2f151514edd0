"""xarray's variance, which skips NaN unless told not to."""

import numpy as np
import xarray
from function_contract import keyword


def versions():
    return {"xarray": xarray.__version__, "numpy": np.__version__}


def var(x, storage, ddof):
    return xarray.DataArray(x).var(**keyword(ddof)).values[()]


def plain(x, storage, ddof):
    return xarray.DataArray(x).var(skipna=False, **keyword(ddof)).values[()]


FUNCTIONS = {"DataArray.var": var, "DataArray.var, skipna=False": plain}
