"""polars' variances."""

import numpy as np
import polars as pl
from function_contract import keyword


def versions():
    return {"polars": pl.__version__, "numpy": np.__version__}


def series(x, storage, ddof):
    made = pl.Series(x)
    value = made.var(**keyword(ddof))
    return typed(value, made)


def typed(value, made):
    """polars hands out Python's floats: the format is that of the answer's column."""
    if value is None:
        return None
    kind = pl.select(pl.lit(made).var()).dtypes[0]
    return getattr(np, str(kind).lower(), np.float64)(value)


def column(expression):
    def call(x, storage, ddof):
        frame = pl.DataFrame({"x": x, "key": np.zeros(len(x), np.int8)})
        found = expression(frame, keyword(ddof), len(x))
        return found["x"].to_numpy()[-1:]

    return call


FUNCTIONS = {
    "Series.var": series,
    "group_by.var": column(lambda f, k, n: f.group_by("key").agg(pl.col("x").var(**k))),
    "rolling_var": column(lambda f, k, n: f.select(pl.col("x").rolling_var(n, **k))),
}
