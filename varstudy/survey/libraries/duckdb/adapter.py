"""duckdb's variances, of a column of a table."""

import duckdb
import numpy as np
import pyarrow as pa
from function_contract import only

STATE = {"threads": 1}


def versions():
    return {"duckdb": duckdb.__version__, "numpy": np.__version__}


def set_threads(n):
    STATE["threads"] = n


def connection():
    if "connection" not in STATE:
        STATE["connection"] = duckdb.connect(config={"threads": STATE["threads"]})
    return STATE["connection"]


def aggregate(expression, fixed):
    def call(x, storage, ddof):
        only(ddof, fixed)
        held = connection()
        held.register("given", pa.table({"x": pa.array(x)}))
        held.execute("CREATE OR REPLACE TABLE held AS SELECT x FROM given")
        held.unregister("given")
        return held.execute(f"SELECT {expression} FROM held").fetchall()[0][0]

    return call


FUNCTIONS = {
    "var_pop": aggregate("var_pop(x)", 0),
    "var_samp": aggregate("var_samp(x)", 1),
    "variance": aggregate("variance(x)", 1),
}
