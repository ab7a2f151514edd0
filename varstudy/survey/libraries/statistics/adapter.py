"""Python's own statistics module; it takes Python's floats."""

import platform
import statistics

from function_contract import fixed


def versions():
    return {"statistics": platform.python_version()}


FUNCTIONS = {
    "pvariance": fixed(0, lambda x: statistics.pvariance(x.tolist())),
    "variance": fixed(1, lambda x: statistics.variance(x.tolist())),
}
