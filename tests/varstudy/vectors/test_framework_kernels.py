"""Frameworks under the judge: what is correct keeps every limit of its profile, and what is not is caught and listed.

The kernels are in `torch_kernels.py`, `onnx_kernels.py` and `flax_kernels.py`. Another version may mend a fault: so
the faulty ones are asked for at the versions that docs/vectors.md names.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from varstudy.testing import assert_norm

pytestmark = pytest.mark.peers
PAGE = (Path(__file__).resolve().parents[3] / "docs" / "vectors.md").read_text("utf-8")
MODULES = {"torch": "torch_kernels", "onnxruntime": "onnx_kernels", "flax": "flax_kernels"}


# JAX compiles for each shape: two minutes and more.
PARAMETERS = ["torch", "onnxruntime", pytest.param("flax", marks=pytest.mark.long)]


@pytest.fixture(params=PARAMETERS)
def kernels(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The module with a framework's kernels; torch on one thread, so that its sums have one order everywhere."""
    framework = pytest.importorskip(request.param)
    found = importlib.import_module(MODULES[request.param])
    if request.param != "torch":
        yield found
        return
    threads = framework.get_num_threads()
    framework.set_num_threads(1)
    yield found
    framework.set_num_threads(threads)


@pytest.mark.filterwarnings(r"ignore:var\(\). degrees of freedom")
def test_correct_kernels_keep_every_limit(kernels: Any) -> None:
    """All in one test: a framework compiles for each shape, and the first kernel pays for the others."""
    beyond = {}
    for name, (norm, backward, dtypes, profile, function) in kernels.CORRECT.items():
        for dtype in dtypes:
            try:
                assert_norm(function, norm, dtype, profile, backward)
            except AssertionError as error:
                beyond[name, dtype] = str(error)
    assert beyond == {}


def test_what_the_page_lists_is_caught(kernels: Any) -> None:
    if kernels.VERSION not in PAGE:
        pytest.skip(f"docs/vectors.md lists the faults of another version than {kernels.VERSION}")
    rows = PAGE.split("## What the judge says of frameworks")[1]
    for name, (norm, backward, dtypes, profile, function) in kernels.FAULTY.items():
        assert f"| {name} |" in rows
        for dtype in dtypes:
            with pytest.raises(AssertionError, match="beyond the limit"):
                assert_norm(function, norm, dtype, profile, backward)


def test_the_judge_names_the_naive_formula_and_the_running_sum(kernels: Any) -> None:
    names = {
        "torch_kernels": ("group_norm, channels last", "the naive formula"),
        "onnx_kernels": ("BatchNormalization in training", "one running sum"),
        "flax_kernels": ("InstanceNorm, use_fast_variance=True", "the naive formula"),
    }
    if kernels.VERSION not in PAGE:
        pytest.skip(f"docs/vectors.md lists the faults of another version than {kernels.VERSION}")
    name, said = names[kernels.__name__]
    norm, backward, _, profile, function = kernels.FAULTY[name]
    with pytest.raises(AssertionError, match=said):
        assert_norm(function, norm, "float32", profile, backward)
