"""Findings to test ports with: invented frameworks of every convention, made as the committed rows are."""

from __future__ import annotations

import json
from typing import Any

from varstudy.survey.findings.measured import FindingRow

PLAIN: dict[str, Any] = {
    "correction.normalise": 0,
    "correction.running": 0,
    "running.keeps": "variance",
    "running.update": "exponential",
    "momentum.multiplies": "old",
    "momentum.default": 0.9,
    "epsilon.default": 1e-5,
    "epsilon.place": "inside the root",
    "epsilon.in_running": "no",
    "initial.mean": 0.0,
    "initial.var": 1.0,
    "one_value.output": "zeros",
    "one_value.running": "moved",
    "evaluation": "running statistics",
    "training.statistics": "batch",
    "running.when": "forward",
}


def rows(
    framework: str, variant: str = "NCHW", *, status: str = "measured", threads: int = 1, **other: Any
) -> list[FindingRow]:
    """The rows of one framework; keywords change a property (dots written __), None leaves its row out."""
    values = {**PLAIN, **{name.replace("__", "."): value for name, value in other.items()}}
    return [
        FindingRow(
            framework, "batch", variant, name, json.dumps(value), status, f"{name} was seen", "1.0", "3.11", threads,
            "2026-01-01", "a processor",
        )
        for name, value in values.items()
        if value is not None
    ]  # fmt: skip


# What test_porting_frameworks.py carries between, as long as there are no committed findings; that test fails where
# one of these numbers is not the framework's.
_TORCH = {
    "correction__running": 1,
    "momentum__multiplies": "new",
    "momentum__default": 0.1,
    "one_value__output": "error",
    "one_value__running": "error",
}
_KERAS = {"momentum__default": 0.99, "epsilon__default": 1e-3}
_ZERO_DEBIASED = {"running__update": "zero-debiased"}
REAL: dict[str, dict[str, Any]] = {
    "torch": _TORCH,
    **{f"keras-{backend}": _KERAS for backend in ("tensorflow", "torch", "jax", "numpy")},
    "tf_keras": {**_KERAS, "correction__running": 1},  # on feature maps
    "flax-linen": {"momentum__default": 0.99},
    "flax-nnx": {"momentum__default": 0.99},
    "onnxruntime": {"initial__mean": None, "initial__var": None},  # they are inputs
    "onnx-reference": {"initial__mean": None, "initial__var": None},
    "mlx": {**_TORCH, "one_value__output": "zeros"},
    "tinygrad": _TORCH,
    "haiku": _ZERO_DEBIASED,
    "equinox": {"running__update": "other", "momentum__default": 0.99},
    "paddle": {"momentum__default": 0.9},
}


def real() -> list[FindingRow]:
    """The rows of every framework in `REAL`."""
    variants = {"tf_keras": "4-D", "equinox": "batch", "onnxruntime": "opset 15", "onnx-reference": "opset 15"}
    return [row for name, other in REAL.items() for row in rows(name, variants.get(name, "NCHW"), **other)]
