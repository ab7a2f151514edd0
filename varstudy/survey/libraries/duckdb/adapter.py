"""duckdb's variances, of a column of a table."""

import duckdb
import numpy as np
import pyarrow as pa
from function_contract import fixed

STATE = {"threads": 1}


def versions():
    return {"duckdb": duckdb.__version__, "numpy": np.__version__}


def set_threads(n):
    STATE["threads"] = n


def connection():
    if "connection" not in STATE:
        STATE["connection"] = duckdb.connect(config={"threads": STATE["threads"]})
    return STATE["connection"]


def aggregate(expression):
    def call(x):
        held = connection()
        held.register("given", pa.table({"x": pa.array(x)}))
        held.execute("CREATE OR REPLACE TABLE held AS SELECT x FROM given")
        held.unregister("given")
        return held.execute(f"SELECT {expression} FROM held").fetchall()[0][0]

    return call


FUNCTIONS = {
    "var_pop": fixed(0, aggregate("var_pop(x)")),
    "var_samp": fixed(1, aggregate("var_samp(x)")),
    "variance": fixed(1, aggregate("variance(x)")),
}
