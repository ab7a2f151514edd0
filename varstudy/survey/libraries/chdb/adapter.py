"""ClickHouse's variances, within the process, by chdb."""

import json

import chdb
import numpy as np
import pyarrow as pa
from function_contract import only

TYPES = {"Float32": np.float32, "Float64": np.float64}


def versions():
    return {"chdb": chdb.__version__, "clickhouse": str(chdb.engine_version), "numpy": np.__version__}


def set_threads(n):
    STATE["threads"] = n


STATE = {"threads": 1}
TABLE = None


def aggregate(name, fixed):
    def call(x, storage, ddof):
        global TABLE  # noqa: PLW0603 - a query finds its table by a name in the module
        only(ddof, fixed)
        TABLE = pa.table({"x": pa.array(x)})
        text = "SELECT {}(x) AS v FROM Python(TABLE) SETTINGS max_threads = {}".format(name, STATE["threads"])
        text += ", output_format_json_quote_denormals = 1"
        found = json.loads(str(chdb.query(text, "JSON")))
        value = found["data"][0]["v"]
        kind = found["meta"][0]["type"]
        if kind.startswith("Nullable("):
            kind = kind[len("Nullable(") : -1]
        return None if value is None else TYPES[kind](value)

    return call


FUNCTIONS = {
    "varPop": aggregate("varPop", 0),
    "varPopStable": aggregate("varPopStable", 0),
    "varSamp": aggregate("varSamp", 1),
    "varSampStable": aggregate("varSampStable", 1),
}
