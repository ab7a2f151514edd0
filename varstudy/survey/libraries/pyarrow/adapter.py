"""pyarrow's variances."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from function_contract import chunks, keyword


def versions():
    return {"pyarrow": pa.__version__, "numpy": np.__version__}


def set_threads(n):
    pa.set_cpu_count(n)


def typed(scalar):
    value = scalar.as_py()
    return None if value is None else {pa.float32(): np.float32}.get(scalar.type, np.float64)(value)


def array(x, storage, ddof):
    return typed(pc.variance(pa.array(x), **keyword(ddof)))


def chunked(x, storage, ddof):
    return typed(pc.variance(pa.chunked_array([pa.array(part) for part in chunks(x)]), **keyword(ddof)))


def grouped(x, storage, ddof):
    table = pa.table({"x": pa.array(x), "key": pa.array(np.zeros(len(x), np.int8))})
    options = pc.VarianceOptions(**keyword(ddof))
    return typed(table.group_by("key").aggregate([("x", "variance", options)])["x_variance"][0])


FUNCTIONS = {"compute.variance": array, "compute.variance, chunks": chunked, "group_by, variance": grouped}
