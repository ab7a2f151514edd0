"""The array API standard's official test suite, run against our mean, std and var where it lies.

It is no package that could be installed: clone data-apis/array-api-tests with its submodule and its requirements
(pytest-json-report, ndindex), and give the clone's folder in ARRAY_API_TESTS. Without it this test says so; the
standard's text stands as properties in test_numpy_suite.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SHIM = '''"""numpy's namespace with our mean, std and var."""
import numpy as _numpy
import varstudy as _ours
from numpy import *
from numpy import abs, all, any, bool, max, min, pow, round, sum

__array_api_version__ = "2024.12"
mean, std, var = _ours.mean, _ours.std, _ours.var


def __getattr__(name):
    return getattr(_numpy, name)
'''

# Each function's values and special cases, and its signature.
WHICH = "(test_statistical_functions or test_special_cases or test_signatures) and (mean or std or var)"


def test_the_official_suite(tmp_path: Path) -> None:
    folder = os.environ.get("ARRAY_API_TESTS")
    if not folder:
        pytest.skip("ARRAY_API_TESTS does not name a clone of array-api-tests")
    (tmp_path / "shim.py").write_text(SHIM)
    root = Path(__file__).parents[3]
    paths = [str(tmp_path), str(root), str(root / "kernels"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", WHICH, "array_api_tests"],
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "ARRAY_API_TESTS_MODULE": "shim",
            "ARRAY_API_TESTS_VERSION": "2024.12",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) >= 12
