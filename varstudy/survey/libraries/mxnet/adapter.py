"""MXNet's variances."""

import numpy as np

for _name, _kind in (("bool", bool), ("object", object), ("int", int), ("float", float)):
    if _name not in np.__dict__:
        setattr(np, _name, _kind)  # MXNet uses names that numpy has dropped

import mxnet as mx
from function_contract import fixed, keyword


def versions():
    return {"mxnet": mx.__version__, "numpy": np.__version__}


def along(axis):
    def call(x, storage, ddof):
        return mx.np.var(mx.np.array(x, dtype=x.dtype), axis=axis, **keyword(ddof)).asnumpy()

    return call


def moments(x):
    return mx.nd.moments(mx.nd.array(x, dtype=x.dtype), axes=(0,))[1].asnumpy()


FUNCTIONS = {
    "np.var": along(None),
    "np.var, axis -1": along(-1),
    "np.var, axis 0": along(0),
    "nd.moments": fixed(0, moments),
}
