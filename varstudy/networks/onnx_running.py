"""A model in ONNX Runtime, and batches with its inputs' names, formats and shapes.

Needs the packages onnx and onnxruntime (``pip install 'varstudy[onnx]'``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

__all__ = ["feed_of", "loaded", "ran", "session_of"]

NUMBERS = ("float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")


def session_of(content: bytes) -> Any:
    """ONNX Runtime on the CPU, which runs the graph as it stands."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def loaded(model: Any, path: Path) -> Any:
    """The session of an onnx model that came from a file.

    Raises
    ------
    ValueError
        ONNX Runtime cannot load it.
    """
    try:
        content = model.SerializeToString()
    except Exception as problem:
        raise ValueError(f"{path} is beyond 2 GiB with its weights, which this audit cannot run") from problem
    try:
        return session_of(content)
    except Exception as problem:
        raise ValueError(f"ONNX Runtime cannot load {path}: {_first(problem)}") from problem


def _first(problem: Exception) -> str:
    text = " ".join(str(problem).split())
    return text[:300] or type(problem).__name__


def feed_of(session: Any, batch: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """A batch with the model's names and formats.

    Raises
    ------
    ValueError
        An input is missing, superfluous, or of another kind or shape; the sentence lists what the model takes.
    """
    wanted = {each.name: each for each in session.get_inputs()}
    listed = ", ".join(f"{name} {_shape(each)}" for name, each in wanted.items())
    missing = [name for name in wanted if name not in batch]
    extra = [name for name in batch if name not in wanted]
    if missing or extra:
        said = [f"input {name!r} is missing" for name in missing] + [f"{name!r} is no input" for name in extra]
        raise ValueError(f"{'; '.join(said)}: the model takes {listed}")
    feed = {}
    for name, each in wanted.items():
        array = np.asarray(batch[name])
        kind = each.type.removeprefix("tensor(").removesuffix(")")
        dtype = np.dtype({"float": "float32", "double": "float64"}.get(kind, kind if kind in NUMBERS else "O"))
        if dtype != array.dtype and dtype.kind in "fiu":
            if array.dtype.kind not in ("fiu" if dtype.kind == "f" else "iub"):
                raise ValueError(f"input {name!r} holds {array.dtype}: the model takes {listed}")
            array = array.astype(dtype)
        shape = each.shape
        fits = len(shape) == array.ndim and all(
            not isinstance(want, int) or want == have for want, have in zip(shape, array.shape, strict=True)
        )
        if not fits:
            raise ValueError(f"input {name!r} has shape {array.shape}: the model takes {listed}")
        feed[name] = np.ascontiguousarray(array)
    return feed


def _shape(each: Any) -> str:
    extents = ", ".join(str(extent) if isinstance(extent, int) else str(extent or "any") for extent in each.shape)
    return f"{each.type.removeprefix('tensor(').removesuffix(')')} ({extents})"


def ran(session: Any, names: Sequence[str], feed: Mapping[str, NDArray[Any]]) -> list[Any]:
    """The named tensors of one run; those of the feed among them.

    Raises
    ------
    ValueError
        ONNX Runtime stops.
    """
    asked = [name for name in names if name not in feed]
    try:
        answers = dict(zip(asked, session.run(asked, dict(feed)), strict=True)) if asked else {}
    except Exception as problem:
        raise ValueError(f"ONNX Runtime cannot run the model on this data: {_first(problem)}") from problem
    return [feed[name] if name in feed else answers[name] for name in names]
