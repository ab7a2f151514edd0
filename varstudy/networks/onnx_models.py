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
from numpy.typing import NDArray
from onnx import TensorProto, helper, inliner

from varkernels.formats import BFLOAT16, FLOAT16, Format
from varkernels.stats.functions import mean_var

from .._io.progress import Progress, Silent
from .audit import Audit, audit_of, audited, format_named
from .format_risks import overflow
from .kernel_error import output_error
from .layer_facts import LayerFacts
from .norm_layers import listed
from .onnx_graph import OnnxGraph, subgraphs
from .onnx_norms import OnnxNorm, norms_of
from .onnx_replay import OnnxReplay
from .onnx_running import feed_of, loaded, ran
from .replaced_norms import EXACT, fits, replaced
from .sensitivity import Effect, check_mode, effects, not_replaced

__all__ = ["audit_onnx"]

# Bytes of tensors that one run gives back.
TENSORS = 2**28
# What the added operators and tensors are called.
OWN = "varstudy/"
FLAT = f"{OWN}flat"
# ONNX Runtime computes some of their operators in float32, and then keeps what these formats cannot hold.
HALVES = {TensorProto.FLOAT16: overflow(FLOAT16), TensorProto.BFLOAT16: overflow(BFLOAT16)}
ZEROS = {TensorProto.FLOAT: f"{OWN}zero", TensorProto.DOUBLE: f"{OWN}zero64"}


def audit_onnx(
    path: str | Path,
    batches: Iterable[Mapping[str, NDArray[Any]]],
    format: str = "float16",
    *,
    sensitivity: str | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Find the normalisation layers of an ONNX model, and say what each risks in a format on this data.

    Parameters
    ----------
    path : the model's file. batches : inputs by name, one mapping a run of the model; taken one after the other.
    format : ``float16`` or ``bfloat16``. progress : receives the runs.
    sensitivity : ``all`` or ``each``: also what replacing the norms does to the outputs for the first batch, all norms
        together, or also each alone.

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
    check_mode(sensitivity)
    model = _loaded(Path(path))
    graph = OnnxGraph(model.graph)
    outputs = [each.name for each in model.graph.output]
    norms = norms_of(graph)
    ranges, limits = _ranged(model, graph)
    sizes = _sized(model, norms)
    session = loaded(model, Path(path))
    seen = _Seen(norms, sensitivity is not None)
    steps = progress or Silent()
    parts: list[list[int]] = []
    first: dict[str, NDArray[Any]] = {}
    try:
        for number, batch in enumerate(batches, 1):
            feed = feed_of(session, batch)
            if not first:
                first = feed
                parts = _parts(norms, dict(zip(sizes, ran(session, list(sizes.values()), feed), strict=True)))
            steps.start(1 + len(parts), 0, f"running the model on batch {number}")
            seen.inputs(feed)
            seen.ranges(dict(zip(ranges, ran(session, list(ranges.values()), feed), strict=True)), limits)
            steps.advance("ranges")
            for part in parts:
                names = sorted({name for k in part for name in norms[k].tensors})
                got = dict(zip(names, ran(session, names, feed), strict=True))
                for k in part:
                    seen.layer(k, got)
                steps.advance(norms[part[-1]].layer.name)
    finally:
        steps.stop()
    if not first:
        raise ValueError("there is no batch: give the model's inputs")
    layers = [
        audited(seen.facts[k], fmt, seen.runtime[k], "variance" if norms[k].variance else "output", seen.problems[k])
        for k in range(len(norms))
    ]
    notes = [*seen.notes, *_notes(graph, seen.highest)]
    moved: list[Effect] = []
    if sensitivity is not None:
        able = [k for k in range(len(norms)) if seen.fits[k]]
        notes += not_replaced([norms[k].layer.name for k in range(len(norms)) if k not in able])
        moved = _moved(OnnxReplay(model, graph, [norms[k] for k in able], outputs), first, fmt, sensitivity, steps)
    return audit_of(Path(path).name, fmt, layers, _beyond(graph, norms, seen.highest, fmt), notes, moved)


def _moved(
    replay: OnnxReplay, feed: Mapping[str, NDArray[Any]], fmt: Format, mode: str, steps: Progress
) -> list[Effect]:
    names = [norm.layer.name for norm in replay.norms]
    return effects(names, lambda ways: replay.run(feed, ways), fmt, mode, steps) if names else []


class _Seen:
    """What the runs of a model have shown.

    Attributes
    ----------
    facts, runtime, problems : of each norm. highest : the largest magnitude of each tensor, infinite where one is not
        finite. fits : whether a norm's output is what its input, its weights and exact statistics give; looked at if
        `compare`. notes : on the inputs.
    """

    def __init__(self, norms: Sequence[OnnxNorm], compare: bool) -> None:
        self.norms, self.compare = norms, compare
        self.facts = [LayerFacts(norm.layer) for norm in norms]
        self.runtime = [math.nan] * len(norms)
        self.problems = [norm.problem for norm in norms]
        self.highest: dict[str, float] = {}
        self.fits = [False] * len(norms)
        self.notes: list[str] = []

    def inputs(self, feed: Mapping[str, NDArray[Any]]) -> None:
        """Look for what is not finite in the data itself."""
        for name, array in feed.items():
            lost = int(np.count_nonzero(~np.isfinite(array))) if array.dtype.kind == "f" else 0
            note = f"Input {name!r} holds NaN or infinities."
            if lost and note not in self.notes:
                self.notes.append(note)

    def ranges(self, found: Mapping[str, Any], limits: Mapping[str, float]) -> None:
        """Take in the largest magnitude of each tensor in a batch; from its limit on, it is infinite."""
        for tensor, value in found.items():
            size = float(np.asarray(value).reshape(-1)[0])
            size = math.inf if size >= limits.get(tensor, math.inf) else size
            self.highest[tensor] = _higher(self.highest.get(tensor, 0.0), size)

    def layer(self, k: int, got: Mapping[str, Any]) -> None:
        """Take in a norm's tensors of a batch."""
        if self.problems[k]:
            return
        self.problems[k], self.runtime[k] = _take(self.norms[k], self.facts[k], got, self.runtime[k])
        if self.compare and not self.problems[k] and self.facts[k].calls == 1:
            self.fits[k] = _fits(self.norms[k], got)


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


def _ranged(model: Any, graph: OnnxGraph) -> tuple[dict[str, str], dict[str, float]]:
    """Add the largest magnitude of each floating-point tensor as an output, NaN where it holds what is not finite: from
    a tensor's name to that output's. Also from which magnitude on a tensor's own format has an infinity."""
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
    found, limits = {}, {}
    for named in dict.fromkeys(name for node in graph.nodes for name in node.output if name):
        own, kind, tensor = f"{OWN}{named}", types.get(named), named
        if kind in HALVES:
            limits[named] = HALVES[kind]
            tensor, kind = f"{own}/wide", TensorProto.FLOAT
            model.graph.node.append(helper.make_node("Cast", [named], [tensor], name=f"{tensor}/node", to=kind))
        if kind not in ZEROS:
            continue
        zero = ZEROS[kind]
        # A tensor without values has no maximum, so a 0 joins. x - x is 0, or NaN where x is not finite, which a
        # maximum may pass over.
        for operator, given, made in (
            ("Abs", [tensor], "size"),
            ("Reshape", [f"{own}/size", FLAT], "flat"),
            ("Concat", [f"{own}/flat", zero], "joined"),
            ("ReduceMax", [f"{own}/joined"], "largest"),
            ("Sub", [tensor, tensor], "zero"),
            ("ReduceSum", [f"{own}/zero"], "none"),
            ("Add", [f"{own}/largest", f"{own}/none"], "range"),
        ):
            options = {"keepdims": 0} if operator.startswith("Reduce") else {"axis": 0} if operator == "Concat" else {}
            model.graph.node.append(
                helper.make_node(operator, given, [f"{own}/{made}"], name=f"{own}/{made}/node", **options)
            )
        found[named] = f"{own}/range"
    _show(model, set(found.values()))
    return found, limits


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


def _fits(norm: OnnxNorm, got: Mapping[str, Any]) -> bool:
    """Whether a norm's output is what its input, its weights and exact statistics give."""
    x, y = norm.input_of(got), np.asarray(got[norm.output])
    try:
        return fits(replaced(norm.layer, x, EXACT, norm.weight, norm.bias), y)
    except ValueError:
        return False


def _take(norm: OnnxNorm, facts: LayerFacts, got: Mapping[str, Any], so_far: float) -> tuple[str, float]:
    """Take one batch's tensors into a layer's facts; why that can't be, and the worst of the runtime's own error."""
    x = norm.input_of(got)
    if x.dtype.kind != "f":
        return f"its input is {x.dtype}", so_far
    try:
        facts.update(x)
    except ValueError as problem:
        return str(problem), so_far
    y = np.asarray(got[norm.output])
    facts.answered(y)
    if norm.variance:
        found = _variance_error(norm, x, np.asarray(got[norm.variance]))
    else:
        found = output_error(norm.layer, x, y, norm.weight, norm.bias)
    return "", found if math.isnan(so_far) else max(so_far, found)


def _variance_error(norm: OnnxNorm, x: NDArray[Any], computed: NDArray[Any]) -> float:
    rows = norm.layer.rows(x)
    if computed.size != len(rows):
        return math.nan
    with np.errstate(all="ignore"):
        mean, exact = mean_var(rows.astype(np.float64), axis=1)
        if norm.layer.kind == "rms":
            exact = exact + mean * mean
        error = np.abs(computed.reshape(-1).astype(np.float64) - exact) / (exact + norm.layer.epsilon)
    error = error[np.isfinite(rows.astype(np.float64)).all(axis=1) & (exact + norm.layer.epsilon > 0)]
    return float(np.nan_to_num(error, nan=np.inf).max()) if len(error) else math.nan


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


def _notes(graph: OnnxGraph, highest: Mapping[str, float]) -> list[str]:
    notes = []
    first = next((tensor for tensor, value in highest.items() if math.isinf(value)), None)
    if first is not None:
        notes.append(f"NaN or an infinity comes first out of {graph.name(graph.maker[first])}, before any conversion.")
    for node in graph.nodes:
        inside = [norm.layer.name for each in subgraphs(node) for norm in norms_of(OnnxGraph(each, graph))]
        if inside:
            notes.append(f"Not audited, as they are within {node.op_type} {node.name}: {listed(inside)}.")
    unnamed = sum(not node.name for node in graph.nodes)
    if unnamed:
        notes.append(
            f"{unnamed} of {len(graph.nodes)} operators have no name: they are called by type and place here, and a "
            "converter's block list cannot name them."
        )
    return notes
