"""Audits of ONNX models: the graph as it stands, run by ONNX Runtime on the user's data, with its norms' tensors shown.

Needs the packages onnx and onnxruntime (``pip install 'varstudy[onnx]'``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, inliner

from varkernels.formats import Format, format_of
from varkernels.norms.forward import norm_forward
from varkernels.stats.functions import mean_var

from .._io.progress import Progress, Silent
from ..study.element_score import score_elements
from .audit import Audit, audit_of, audited, format_named
from .format_risks import overflow
from .layer_facts import LayerFacts
from .norm_layers import Formula
from .onnx_graph import OnnxGraph
from .onnx_norms import OnnxNorm, norms_of

__all__ = ["audit_onnx"]

# Bytes of tensors that one run gives back.
TENSORS = 2**28
# Values of a layer whose output is compared with the exact one.
COMPARED = 2**16
NUMBERS = ("float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
# What the added operators and tensors are called.
OWN = "varstudy/"
FLAT = f"{OWN}flat"
ZEROS = {TensorProto.FLOAT: f"{OWN}zero", TensorProto.DOUBLE: f"{OWN}zero64"}


def audit_onnx(
    path: str | Path,
    batches: Sequence[Mapping[str, NDArray[Any]]],
    format: str = "float16",
    *,
    progress: Progress | None = None,
) -> Audit:
    """Find the normalisation layers of an ONNX model, and say what each risks in a format on this data.

    Parameters
    ----------
    path : the model's file. batches : inputs by name, one mapping a run of the model.
    format : ``float16`` or ``bfloat16``. progress : receives the runs.

    Returns
    -------
    `Audit`.

    Raises
    ------
    ValueError
        The file is no model, ONNX Runtime cannot load or run it, an input is missing, superfluous, or of another shape.
    OSError
        The file, or one with its weights, cannot be read.
    """
    fmt = format_named(format)
    if not batches:
        raise ValueError("there is no batch: give the model's inputs")
    model = _loaded(Path(path))
    graph = OnnxGraph(model.graph)
    norms = norms_of(graph)
    ranges = _ranged(model, graph)
    sizes = _sized(model, norms)
    session = _session(model, Path(path))
    feeds = [_feed(session, batch) for batch in batches]
    facts = [LayerFacts(norm.layer) for norm in norms]
    runtime = [math.nan] * len(norms)
    problems = [norm.problem for norm in norms]
    highest: dict[str, float] = {}
    steps = progress or Silent()
    parts = _parts(norms, dict(zip(sizes, _run(session, list(sizes.values()), feeds[0]), strict=True)))
    steps.start(len(feeds) * (1 + len(parts)), 0, "running the model")
    try:
        for feed in feeds:
            for tensor, value in zip(ranges, _run(session, list(ranges.values()), feed), strict=True):
                highest[tensor] = _higher(highest.get(tensor, 0.0), float(np.asarray(value).reshape(-1)[0]))
            steps.advance("ranges")
            for part in parts:
                names = sorted({name for k in part for name in norms[k].tensors})
                got = dict(zip(names, _run(session, names, feed), strict=True))
                for k in part:
                    if not problems[k]:
                        problems[k], runtime[k] = _take(norms[k], facts[k], got, runtime[k])
                steps.advance(norms[part[-1]].layer.name)
    finally:
        steps.stop()
    layers = [
        audited(facts[k], fmt, runtime[k], "variance" if norms[k].variance else "output", problems[k])
        for k in range(len(norms))
    ]
    return audit_of(Path(path).name, fmt, layers, _beyond(graph, norms, highest, fmt), _notes(model, graph, highest))


def _loaded(path: Path) -> Any:
    try:
        model = onnx.load(str(path))
    except OSError:
        raise
    except Exception as problem:
        first = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
        raise ValueError(f"{path} is no ONNX model that can be read: {first[:200]}") from problem
    if not model.graph.node:
        raise ValueError(f"{path} holds no operators: is it an ONNX model?")
    if model.functions:
        model = inliner.inline_local_functions(model)
    return model


def _ranged(model: Any, graph: OnnxGraph) -> dict[str, str]:
    """Add the largest magnitude of each floating-point tensor as an output, NaN where it holds what is not finite: from
    a tensor's name to that output's."""
    try:
        typed = onnx.shape_inference.infer_shapes(model)
    except Exception:
        # Shapes that contradict each other, or operators that onnx does not know.
        typed = model
    types = {
        each.name: each.type.tensor_type.elem_type
        for each in (*typed.graph.value_info, *typed.graph.output, *typed.graph.input)
    }
    for name, kind, value in ((FLAT, TensorProto.INT64, -1), *((zero, kind, 0) for kind, zero in ZEROS.items())):
        model.graph.initializer.append(helper.make_tensor(name, kind, [1], [value]))
    found = {}
    for tensor in dict.fromkeys(name for node in graph.nodes for name in node.output if name):
        if types.get(tensor) not in ZEROS:
            continue
        own = f"{OWN}{tensor}"
        zero = ZEROS[types[tensor]]
        # A tensor without values has no maximum, so a 0 joins. x - x is 0, or NaN where x is not finite, which a
        # maximum may pass over.
        for kind, given, made in (
            ("Abs", [tensor], "size"),
            ("Reshape", [f"{own}/size", FLAT], "flat"),
            ("Concat", [f"{own}/flat", zero], "joined"),
            ("ReduceMax", [f"{own}/joined"], "largest"),
            ("Sub", [tensor, tensor], "zero"),
            ("ReduceSum", [f"{own}/zero"], "none"),
            ("Add", [f"{own}/largest", f"{own}/none"], "range"),
        ):
            options = {"keepdims": 0} if kind.startswith("Reduce") else {"axis": 0} if kind == "Concat" else {}
            model.graph.node.append(
                helper.make_node(kind, given, [f"{own}/{made}"], name=f"{own}/{made}/node", **options)
            )
        found[tensor] = f"{own}/range"
    _show(model, set(found.values()))
    return found


def _sized(model: Any, norms: Sequence[OnnxNorm]) -> dict[str, str]:
    """Add the norms' tensors as outputs, and how many values each has: from its name to that output's."""
    found = {name: f"{OWN}{name}/count" for norm in norms for name in norm.tensors}
    for name, count in found.items():
        model.graph.node.append(helper.make_node("Size", [name], [count], name=f"{count}/node"))
    _show(model, [*found, *found.values()])
    return found


def _show(model: Any, names: Iterable[str]) -> None:
    have = {each.name for each in model.graph.output}
    for name in sorted(set(names) - have - {each.name for each in model.graph.input}):
        model.graph.output.append(helper.make_empty_tensor_value_info(name))


def _session(model: Any, path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        content = model.SerializeToString()
    except Exception as problem:
        raise ValueError(f"{path} is beyond 2 GiB with its weights, which this audit cannot run") from problem
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as problem:
        raise ValueError(f"ONNX Runtime cannot load {path}: {_first(problem)}") from problem


def _first(problem: Exception) -> str:
    text = " ".join(str(problem).split())
    return text[:300] or type(problem).__name__


def _feed(session: Any, batch: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """A batch with the model's names and formats."""
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


def _run(session: Any, names: Sequence[str], feed: Mapping[str, NDArray[Any]]) -> list[Any]:
    asked = [name for name in names if name not in feed]
    try:
        answers = dict(zip(asked, session.run(asked, dict(feed)), strict=True)) if asked else {}
    except Exception as problem:
        raise ValueError(f"ONNX Runtime cannot run the model on this data: {_first(problem)}") from problem
    return [feed[name] if name in feed else answers[name] for name in names]


def _parts(norms: Sequence[OnnxNorm], counts: Mapping[str, Any]) -> list[list[int]]:
    """The norms whose tensors one run gives back: as many as fit into `TENSORS` bytes, by the first batch's counts."""
    parts: list[list[int]] = []
    room = 0
    for k, norm in enumerate(norms):
        size = 8 * sum(int(counts[name]) for name in norm.tensors)
        if not parts or room + size > TENSORS:
            parts.append([])
            room = 0
        parts[-1].append(k)
        room += size
    return parts


def _take(norm: OnnxNorm, facts: LayerFacts, got: Mapping[str, Any], so_far: float) -> tuple[str, float]:
    """Take one batch's tensors into a layer's facts; why that can't be, and the worst of the runtime's own error."""
    x = np.asarray(got[norm.inputs[0]])
    for name in norm.inputs[1:]:
        x = x + np.asarray(got[name])
    if x.dtype.kind != "f":
        return f"its input is {x.dtype}", so_far
    try:
        facts.update(x)
    except ValueError as problem:
        return str(problem), so_far
    y = np.asarray(got[norm.output])
    facts.answered(y)
    found = _variance_error(norm, x, np.asarray(got[norm.variance])) if norm.variance else _output_error(norm, x, y)
    return "", found if math.isnan(so_far) else max(so_far, found)


def _variance_error(norm: OnnxNorm, x: NDArray[Any], computed: NDArray[Any]) -> float:
    rows = norm.layer.rows(x)
    if computed.size != len(rows):
        return math.nan
    mean, exact = mean_var(rows.astype(np.float64), axis=1)
    if norm.layer.kind == "rms":
        exact = exact + mean * mean
    with np.errstate(all="ignore"):
        error = np.abs(computed.reshape(-1).astype(np.float64) - exact) / (exact + norm.layer.epsilon)
    error = error[np.isfinite(rows.astype(np.float64)).all(axis=1) & (exact + norm.layer.epsilon > 0)]
    return float(np.nan_to_num(error, nan=np.inf).max()) if len(error) else math.nan


def _output_error(norm: OnnxNorm, x: NDArray[Any], y: NDArray[Any]) -> float:
    """The largest error of the first samples' output, relative to the largest exact element."""
    layer = norm.layer
    given: dict[str, Any] = {"weight": norm.weight, "bias": norm.bias, "epsilon": layer.epsilon}
    if y.shape != x.shape or y.dtype.kind != "f":
        return math.nan
    if layer.formula is Formula.RUNNING:
        if layer.mean is None or layer.variance is None:
            return math.nan
        given |= {"mean": layer.mean, "variance": layer.variance}
    if layer.kind in ("layer", "rms"):
        if layer.axes != tuple(range(-len(layer.axes), 0)):
            return math.nan
        n = math.prod(x.shape[a] for a in layer.axes)
        x, y = x.reshape(-1, n), y.reshape(-1, n)
        given |= {name: None if given[name] is None else given[name].reshape(-1) for name in ("weight", "bias")}
    elif layer.kind == "group":
        given["groups"] = layer.groups
    whole = layer.kind == "batch" and layer.formula is not Formula.RUNNING
    some = len(x) if whole else max(1, COMPARED // max(1, math.prod(x.shape[1:])))
    x, y = np.ascontiguousarray(x[:some]), y[:some]
    if x.size > 16 * COMPARED or x.ndim > 5:
        return math.nan
    try:
        exact = norm_forward(x, layer.kind, **given, dtype=y.dtype)
    except (TypeError, ValueError):
        return math.nan
    return score_elements(exact, y, format_of(y.dtype)).error


def _higher(one: float, other: float) -> float:
    return math.inf if math.isnan(other) else max(one, other)


def _beyond(graph: OnnxGraph, norms: Sequence[OnnxNorm], highest: Mapping[str, float], fmt: Format) -> dict[str, float]:
    """Operators outside the norms that make or take a value beyond the format, with it."""
    inside = {name for norm in norms for name in norm.layer.nodes}
    found: dict[str, float] = {}
    limit = overflow(fmt)
    for tensor, value in highest.items():
        if limit <= value < math.inf:
            for at in (graph.maker[tensor], *graph.takers[tensor]):
                name = graph.name(at)
                if name not in inside:
                    found[name] = max(found.get(name, 0.0), value)
    order = {graph.name(at): at for at in range(len(graph.nodes))}
    return dict(sorted(found.items(), key=lambda pair: order[pair[0]]))


def _notes(model: Any, graph: OnnxGraph, highest: Mapping[str, float]) -> list[str]:
    notes = []
    first = next((tensor for tensor, value in highest.items() if math.isinf(value)), None)
    if first is not None:
        notes.append(f"NaN or an infinity comes first out of {graph.name(graph.maker[first])}, before any conversion.")
    nested = sorted(
        {node.op_type for node in graph.nodes if any(each.type == onnx.AttributeProto.GRAPH for each in node.attribute)}
    )
    if nested:
        notes.append(f"Norms within the branches of {', '.join(nested)} are not looked at.")
    unnamed = sum(not node.name for node in graph.nodes)
    if unnamed:
        notes.append(
            f"{unnamed} of {len(graph.nodes)} operators have no name: they are called by type and place here, and a "
            "converter's block list cannot name them."
        )
    return notes
