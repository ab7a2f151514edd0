"""Python's own statistics module; it takes Python's floats."""

import platform
import statistics

from function_contract import only


def versions():
    return {"statistics": platform.python_version()}


def of(function, fixed):
    def call(x, storage, ddof):
        only(ddof, fixed)
        return function(x.tolist())

    return call


FUNCTIONS = {"pvariance": of(statistics.pvariance, 0), "variance": of(statistics.variance, 1)}
