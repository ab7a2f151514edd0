"""pandas' variances; they are others where bottleneck is installed."""

import numpy as np
import pandas as pd
from function_contract import keyword


def versions():
    found = {"pandas": pd.__version__, "numpy": np.__version__}
    try:
        import bottleneck

        found["bottleneck"] = bottleneck.__version__
    except ImportError:
        pass
    return found


def series(x, storage, ddof):
    return pd.Series(x).var(**keyword(ddof))


def frame(axis):
    return lambda x, storage, ddof: pd.DataFrame(x).var(axis=axis, **keyword(ddof)).to_numpy()


def grouped(x, storage, ddof):
    key = np.zeros(len(x), np.int64)
    return pd.Series(x).groupby(key).var(**keyword(ddof)).to_numpy()


def rolling(x, storage, ddof):
    """The last of the windows that hold all values."""
    return pd.Series(x).rolling(len(x)).var(**keyword(ddof)).iloc[-1]


def moved(x, storage, ddof):
    """The window first goes over as many values that are a million times as large."""
    far = np.concatenate([x * np.float64(1e6), x]) if len(x) else x
    return pd.Series(far).rolling(len(x)).var(**keyword(ddof)).iloc[-1]


def expanding(x, storage, ddof):
    return pd.Series(x).expanding().var(**keyword(ddof)).iloc[-1]


FUNCTIONS = {
    "Series.var": series,
    "DataFrame.var, axis 0": frame(0),
    "DataFrame.var, axis 1": frame(1),
    "groupby.var": grouped,
    "rolling.var": rolling,
    "rolling.var after large values": moved,
    "expanding.var": expanding,
}
