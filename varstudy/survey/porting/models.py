"""The norm layers of a model of PyTorch or Keras, or the batch norms of a file of weights, each with its plan."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, overload

from ...study.array_files import FileProblem, load, names
from ..findings.properties import LayerKind
from ..frameworks.catalogue import FRAMEWORKS
from .maths import PortError
from .norms import NormPlan, port_norm
from .plan import PortPlan, port_names

__all__ = ["PortedLayer", "PortedModel", "port"]

# Of a class's name, the kind of layer: the first that is in it. A name of a model's own, such as LlamaRMSNorm, counts.
_KINDS = {
    "BatchNorm": LayerKind.BATCH,  # of torch, and Keras's BatchNormalization
    "InstanceNorm": LayerKind.INSTANCE,
    "GroupNorm": LayerKind.GROUP,
    "RMSNorm": LayerKind.RMS,
    "LayerNorm": LayerKind.LAYER,
}
_EPSILONS = ("eps", "epsilon", "variance_epsilon")
# The names of the running statistics in a file of weights, and whose they are.
_STATISTICS = {("running_mean", "running_var"): "torch", ("moving_mean", "moving_variance"): "keras"}


@dataclass(frozen=True)
class PortedLayer:
    """A norm layer of a model.

    Attributes
    ----------
    name : in the model. kind : a `LayerKind`. layer : its class; empty of a file of weights.
    channels : how many it has. settings : what the layer tells of itself.
    plan : what to change; of another kind than batch norm a `NormPlan`.
    notes : what is particular to this layer.
    """

    name: str
    kind: str
    layer: str
    channels: int | None
    settings: Mapping[str, Any]
    plan: PortPlan | NormPlan
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PortedModel:
    """The norm layers of a model, each with its plan.

    Attributes
    ----------
    source, target : the frameworks. layers : in the model's order. notes : what holds for all of them.
    """

    source: str
    target: str
    layers: tuple[PortedLayer, ...]
    notes: tuple[str, ...] = ()

    def snippet(self) -> str:
        """Python code whose `port(layer)` carries each batch norm of the model: it reads the settings of each.

        Raises
        ------
        PortError
            The model has no batch norm, or there is no code for one of the two frameworks.
        """
        for each in self.layers:
            if isinstance(each.plan, PortPlan):
                return each.plan.snippet()
        raise PortError("the model has no batch norm: there is no state to carry")

    def record(self) -> dict[str, Any]:
        """The plans as plain data."""
        layers = [{**_plain(each), "plan": each.plan.record()} for each in self.layers]
        return {"source": self.source, "target": self.target, "notes": list(self.notes), "layers": layers}


def _plain(layer: PortedLayer) -> dict[str, Any]:
    fields = ("name", "kind", "layer", "channels", "notes")
    return {**{name: getattr(layer, name) for name in fields}, "settings": dict(layer.settings)}


@overload
def port(source: str, to: str, **settings: Any) -> PortPlan: ...


@overload
def port(source: Any, to: str, **settings: Any) -> PortedModel: ...


def port(source: Any, to: str, **settings: Any) -> PortPlan | PortedModel:
    """What to change when a batch norm, or each norm layer of a model, goes to another framework.

    Parameters
    ----------
    source : FRAMEWORK or FRAMEWORK:VARIANT; or a model or a layer of PyTorch or Keras; or its weights: a mapping of
        names to arrays, or the `pathlib.Path` of a .safetensors or .npz file.
    to : FRAMEWORK or FRAMEWORK:VARIANT.
    settings : as for `port_names`: values_per_channel, variance, epsilon, momentum, rows, lookup. A layer's own epsilon
        and momentum go before these.

    Raises
    ------
    PortError
        A name is unknown or does not agree, a number cannot be, or a model has no norm layer.
    ConventionsProblem, DocumentedProblem
        No rows are given, and the findings or the facts that come with the package are cut or edited.
    """
    if isinstance(source, str):
        return port_names(source, to, **settings)
    if isinstance(source, (Mapping, Path)):
        return _of_weights(source, to, settings)
    return _of_model(source, to, settings)


def _of_model(model: Any, to: str, settings: dict[str, Any]) -> PortedModel:
    framework, layers = _walked(model)
    found = []
    for name, layer in layers:
        kind = _kind_of(layer)
        if kind is not None:
            found.append(_ported(name, layer, kind, framework, to, settings))
    if not found:
        raise PortError(f"{type(model).__name__} has no norm layer: there is nothing to change")
    return PortedModel(framework, to, tuple(found))


def _walked(model: Any) -> tuple[str, Iterator[tuple[str, Any]]]:
    """The framework of a model, and its layers with their names."""
    if hasattr(model, "_flatten_layers"):  # first: on the torch back end Keras's layers are modules of torch
        layers = [each for each in model._flatten_layers() if each is not model or _kind_of(model)]
        return _keras(model), ((getattr(each, "path", "") or each.name, each) for each in layers)
    if hasattr(model, "named_modules"):
        return "torch", ((name or type(each).__name__, each) for name, each in model.named_modules())
    raise PortError(
        f"{type(model).__name__} is no model of PyTorch or Keras: give one of these, a mapping of names to arrays, or "
        "the pathlib.Path of a .safetensors file"
    )


def _keras(model: Any) -> str:
    """Keras 2 or 3, and of 3 the back end."""
    ours = any(each.__module__.startswith("tf_keras") for each in type(model).__mro__)
    keras: Any = sys.modules.get("keras")
    return "tf_keras" if ours or keras is None else f"keras-{keras.backend.backend()}"


def _kind_of(layer: Any) -> LayerKind | None:
    name = type(layer).__name__
    return next((kind for part, kind in _KINDS.items() if part in name), None)


def _ported(name: str, layer: Any, kind: LayerKind, framework: str, to: str, settings: dict[str, Any]) -> PortedLayer:
    epsilon = next((getattr(layer, each) for each in _EPSILONS if hasattr(layer, each)), None)
    weight = getattr(layer, "weight", getattr(layer, "gamma", None))
    channels = None if weight is None else int(weight.shape[0])
    notes = _notes(layer, framework, kind)
    if kind != LayerKind.BATCH:
        told = {} if epsilon is None else {"epsilon": epsilon}
        rows = settings.get("rows")
        plan: PortPlan | NormPlan = port_norm(kind, framework, to, epsilon=epsilon, rows=rows)
        return PortedLayer(name, kind, type(layer).__name__, channels, told, plan, notes)
    told = {key: value for key, value in _reader(framework)(layer).items() if value is not None}
    given = {**settings, "epsilon": told["epsilon"]}
    given["momentum"] = told["momentum"]
    return PortedLayer(name, kind, type(layer).__name__, channels, told, port_names(framework, to, **given), notes)


@cache
def _reader(framework: str) -> Any:
    """The function that the code of a port reads a layer's settings with."""
    state = FRAMEWORKS[framework].state
    assert state is not None
    names: dict[str, Any] = {}
    exec(f"def settings(layer):\n{textwrap.indent(state.settings, '    ')}", names)
    return names["settings"]


def _notes(layer: Any, framework: str, kind: LayerKind) -> tuple[str, ...]:
    if kind != LayerKind.BATCH:
        return ()
    notes = []
    statistics = getattr(layer, "running_var", getattr(layer, "moving_variance", None))
    if framework == "torch" and statistics is None:
        notes.append("It has no running statistics and normalises with each batch's own: there is no state to carry.")
    frozen = "Frozen" in type(layer).__name__ or (framework != "torch" and not getattr(layer, "trainable", True))
    if frozen:
        notes.append("It is frozen: it evaluates with the running statistics in training, too. Freeze the target.")
    return tuple(notes)


def _of_weights(source: Any, to: str, settings: dict[str, Any]) -> PortedModel:
    shapes = _shapes(source)
    found = []
    for statistics, framework in _STATISTICS.items():
        mean, var = statistics
        layers = [name.removesuffix(var) for name in shapes if name.rpartition(".")[2].rpartition("/")[2] == var]
        for prefix in layers:
            if prefix + mean in shapes:
                plan = port_names(framework, to, **settings)
                channels = shapes[prefix + var][0] if shapes[prefix + var] else None
                name = prefix.rstrip("./")
                found.append(PortedLayer(name, LayerKind.BATCH, "", channels, {}, plan))
    if not found:
        raise PortError("no name in it ends in running_var or moving_variance: there is no batch norm in these weights")
    framework = found[0].plan.source.framework
    note = (
        f"Weights do not tell epsilon and momentum: {framework}'s defaults are taken, unless you give them. Whether a "
        "layer without running statistics is a norm is not to be seen in them."
    )
    return PortedModel(framework, to, tuple(found), (note,))


def _shapes(source: Any) -> dict[str, tuple[int, ...]]:
    if isinstance(source, Mapping):
        return {str(name): tuple(getattr(value, "shape", ())) for name, value in source.items()}
    try:
        known = names(source)
        wanted = [name for name in known if name.endswith(tuple(part for pair in _STATISTICS for part in pair))]
        shapes = {name: load(f"{source}:{name}").array.shape for name in wanted}
    except FileProblem as problem:
        raise PortError(str(problem)) from problem
    return shapes
