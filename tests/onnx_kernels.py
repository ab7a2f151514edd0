"""ONNX Runtime's normalisation operators as kernels for the test vectors: one model an operator, on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

__all__ = ["CORRECT", "FAULTY", "VERSION"]

VERSION = f"onnxruntime {onnxruntime.__version__}"
_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}
_OPSETS = {
    "LayerNormalization": 17,
    "RMSNormalization": 23,
    "GroupNormalization": 21,
    "InstanceNormalization": 6,
    "BatchNormalization": 15,
}


def operator(name: str, feeds: dict[str, Any], outputs: tuple[str, ...] = ("y",), **attributes: Any) -> list[Any]:
    """What an operator answers to arrays."""

    def value(key: str, dtype: Any) -> Any:
        return helper.make_tensor_value_info(key, _TYPES[str(dtype)], None)

    graph = helper.make_graph(
        [helper.make_node(name, list(feeds), list(outputs), **attributes)],
        "norm",
        [value(key, each.dtype) for key, each in feeds.items()],
        [value(key, feeds["mean" if key.startswith("new") else "x"].dtype) for key in outputs],
    )
    imports = [helper.make_opsetid("", _OPSETS[name])]
    model = helper.make_model(graph, opset_imports=imports)
    model.ir_version = helper.find_min_ir_version_for(imports)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: list[Any] = session.run(None, {key: np.ascontiguousarray(each) for key, each in feeds.items()})
    return found


def layer(x: Any, w: Any, b: Any, epsilon: float) -> Any:
    return operator("LayerNormalization", {"x": x, "w": w, "b": b}, epsilon=epsilon)[0]


def rms(x: Any, w: Any, epsilon: float) -> Any:
    return operator("RMSNormalization", {"x": x, "w": w}, epsilon=epsilon)[0]


def group(x: Any, w: Any, b: Any, groups: int, epsilon: float) -> Any:
    return operator("GroupNormalization", {"x": x, "w": w, "b": b}, epsilon=epsilon, num_groups=groups)[0]


def instance(x: Any, w: Any, b: Any, epsilon: float) -> Any:
    return operator("InstanceNormalization", {"x": x, "w": w, "b": b}, epsilon=epsilon)[0]


def batch(x: Any, w: Any, b: Any, epsilon: float) -> Any:
    still = {"mean": np.zeros(x.shape[1], np.float32), "var": np.ones(x.shape[1], np.float32)}
    wide = {"w": w.astype(np.float32), "b": b.astype(np.float32)}
    given = {"epsilon": epsilon, "momentum": 0.0, "training_mode": 1}
    return tuple(operator("BatchNormalization", {"x": x, **wide, **still}, ("y", "new mean", "new var"), **given))


Entry = tuple[str, bool, tuple[str, ...], str, Callable[..., Any]]
# (norm, backward, dtypes, profile, function) by name.
CORRECT: dict[str, Entry] = {
    "LayerNormalization": ("layer", False, ("float32", "float16"), "single", layer),
    "RMSNormalization": ("rms", False, ("float32", "float16"), "single", rms),
    "InstanceNormalization": ("instance", False, ("float32", "float16"), "single", instance),
    "BatchNormalization in training": ("batch", False, ("float32", "float16"), "running", batch),
}
FAULTY: dict[str, Entry] = {
    "GroupNormalization": ("group", False, ("float32", "float16"), "single", group),
    "BatchNormalization in training": ("batch", False, ("float32",), "single", batch),
}
