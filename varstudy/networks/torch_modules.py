"""Audits of PyTorch models: hooks on the norm modules look at what comes in and goes out while the user's data runs.

torch is the user's own: it is imported when an audit is made.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from numpy.typing import NDArray

from .._io.progress import Progress
from .audit import Audit, audit_of, audited, format_named
from .format_risks import overflow
from .kernel_error import output_error
from .layer_facts import LayerFacts
from .norm_layers import KINDS, Formula, NormLayer, listed
from .sensitivity import Effect, check_mode, effects, not_replaced
from .torch_replay import TorchReplay
from .torch_tensors import array_of, floats_of

__all__ = ["TorchAudit", "audit"]

# Attributes in which modules of other people keep their epsilon.
EPSILONS = ("eps", "epsilon", "variance_epsilon", "norm_eps", "layer_norm_epsilon")


class TorchAudit:
    """Looks at a model's norm modules while it is entered; `result` is the audit of what was seen so far.

    Parameters
    ----------
    model, format, kinds : as for `audit`.
    """

    def __init__(self, model: Any, format: str = "float16", kinds: Mapping[str, str] | None = None) -> None:
        self.format = format_named(format)
        self.model = model
        self._torch: Any = importlib.import_module("torch")
        chosen = _chosen(model, kinds or {}, self._torch)
        self._facts: dict[str, LayerFacts] = {name: LayerFacts(layer) for name, (_, layer) in chosen.items()}
        self._modules = {name: module for name, (module, _) in chosen.items()}
        self._problems: dict[str, str] = {}
        self._highest: dict[str, float] = {}
        self._runtime: dict[str, float] = {}
        self._first = ""
        self._effects: list[Effect] = []
        self._left: list[str] = []
        self._hooks: list[Any] = []

    def __enter__(self) -> TorchAudit:
        for name, module in self._modules.items():
            self._hooks.append(module.register_forward_hook(self._norm(name), with_kwargs=True))
        for name, module in self.model.named_modules():
            if name not in self._modules and next(module.children(), None) is None:
                self._hooks.append(module.register_forward_hook(self._other(name)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def _norm(self, name: str) -> Any:
        facts = self._facts[name]

        def hook(module: Any, given: Any, named: Any, answer: Any) -> None:
            tensor = next(floats_of((*given, *named.values()), self._torch), None)
            if tensor is None or name in self._problems:
                self._problems.setdefault(name, "it was not given a tensor of floats")
                return
            try:
                facts.update(array_of(tensor, self._torch))
            except ValueError as problem:
                self._problems[name] = str(problem)
                return
            if self._floats(answer):
                y = array_of(answer, self._torch)
                facts.answered(y)
                self._see(name, answer)
                self._score(name, array_of(tensor, self._torch), y)

        return hook

    def _score(self, name: str, x: NDArray[Any], y: NDArray[Any]) -> None:
        """Compare the first output of torch's own classes with the exact one."""
        module = self._modules[name]
        if name in self._runtime or not type(module).__module__.startswith("torch."):
            return
        weight, bias = (
            array_of(each, self._torch) if isinstance(each, self._torch.Tensor) else None
            for each in (getattr(module, "weight", None), getattr(module, "bias", None))
        )
        narrow = module.weight.dtype if weight is not None else self._torch.float32
        self._runtime[name] = (
            math.nan if narrow is self._torch.bfloat16 else output_error(self._facts[name].layer, x, y, weight, bias)
        )

    def _other(self, name: str) -> Any:
        def hook(module: Any, given: Any, answer: Any) -> None:
            if self._floats(answer):
                self._see(name, answer)

        return hook

    def _see(self, name: str, answer: Any) -> None:
        top = float(answer.detach().abs().max()) if answer.numel() else 0.0
        if not math.isfinite(top):
            self._first = self._first or name
            return
        self._highest[name] = max(self._highest.get(name, 0.0), top)

    def _floats(self, value: Any) -> bool:
        return isinstance(value, self._torch.Tensor) and value.is_floating_point()

    @property
    def result(self) -> Audit:
        """The audit of everything that ran so far."""
        fmt, limit = self.format, overflow(self.format)
        layers = [
            audited(
                self._with_maker(name, limit),
                fmt,
                self._runtime.get(name, math.nan),
                "output",
                self._problems.get(name, ""),
            )
            for name in self._facts
        ]
        beyond = {name: top for name, top in self._highest.items() if top >= limit and name not in self._facts}
        notes = []
        if self._first:
            notes.append(f"NaN or an infinity comes first out of {self._first}, before any conversion.")
        least = min((facts.calls for facts in self._facts.values() if facts.calls), default=0)
        often = [name for name, facts in self._facts.items() if facts.calls > least]
        if often:
            notes.append(f"Called more often than others, all calls joined: {listed(often)}.")
        notes += not_replaced(self._left)
        return audit_of(type(self.model).__name__, fmt, layers, beyond, notes, self._effects)

    def replace_norms(self, inputs: Sequence[Any], mode: str, progress: Progress | None = None) -> None:
        """Measure what replacing the norms does to the model's output for some inputs."""
        layers = {
            name: (module, self._facts[name].layer)
            for name, module in self._modules.items()
            if self._facts[name].calls and name not in self._problems
        }
        replay = TorchReplay(self.model, inputs, layers)
        self._left = replay.left
        self._effects = effects(replay.names, replay.run, self.format, mode, progress) if replay.names else []

    def _with_maker(self, name: str, limit: float) -> LayerFacts:
        """A layer's facts. Where its input is beyond the format, what makes it must stay wide, too: that is in the
        module around it, where no hook sees it."""
        facts, around = self._facts[name], name.rpartition(".")[0]
        if facts.largest < limit or not around:
            return facts
        return replace(facts, layer=replace(facts.layer, nodes=(around,)))


def audit(
    model: Any,
    *inputs: Any,
    format: str = "float16",
    kinds: Mapping[str, str] | None = None,
    sensitivity: str | None = None,
    progress: Progress | None = None,
) -> Any:
    """Audit the norm layers of a torch model: which are at risk in float16 or bfloat16, on your data.

    Parameters
    ----------
    model : a torch.nn.Module, on any device, in any floating-point format.
    inputs : what the model is called with, once, without gradients; running statistics are put back afterwards.
        Without inputs, use the answer as a context manager, and run the model yourself, as often as you like.
    format : ``float16`` or ``bfloat16``: the format that the model may be converted to.
    kinds : which norm a module of your own is: from the name of its class, or of the module, to ``batch``, ``layer``,
        ``group``, ``instance``, ``rms``, or to an empty string where it is none. Classes whose name ends in RMSNorm or
        LayerNorm are taken for what they say.
    sensitivity : ``all`` or ``each``: also what replacing the norms does to the outputs, all norms together, or also
        each alone. It needs inputs. progress : receives the runs of that.

    Returns
    -------
    `varstudy.networks.audit.Audit` with inputs; without, a context manager whose `result` is that.

    Raises
    ------
    ModuleNotFoundError
        torch is not installed.
    TypeError
        The model is no torch.nn.Module.
    ValueError
        The format, a kind or the sensitivity is unknown, or the sensitivity is asked for without inputs.

    Notes
    -----
    Several batches: ``with varstudy.torch.audit(model) as seen:`` run the model on each; then ``seen.result`` is the
    audit, and ``seen.result.keep()`` has the names of the modules to keep in float32.
    """
    check_mode(sensitivity)
    looking = TorchAudit(model, format, kinds)
    if not inputs:
        if sensitivity is not None:
            raise ValueError("sensitivity runs the model again and again: give its inputs, too")
        return looking
    torch: Any = importlib.import_module("torch")
    kept = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}
    try:
        with torch.no_grad(), looking:
            model(*inputs)
        if sensitivity is not None:
            looking.replace_norms(inputs, sensitivity, progress)
    finally:
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(kept[name])
    return looking.result


def _chosen(model: Any, kinds: Mapping[str, str], torch: Any) -> dict[str, tuple[Any, NormLayer]]:
    """The norm modules by name, with what they are."""
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model is {type(model).__name__}: give a torch.nn.Module")
    unknown = sorted({kind for kind in kinds.values() if kind and kind not in KINDS})
    if unknown:
        raise ValueError(
            f"kinds: {', '.join(map(repr, unknown))} is unknown: use {', '.join(KINDS)}, or an empty string"
        )
    modules = dict(model.named_modules())
    idle = [name for name in kinds if name not in modules and name not in {type(m).__name__ for m in modules.values()}]
    if idle:
        raise ValueError(f"kinds: {', '.join(map(repr, idle))} is neither a module nor a class of the model")
    found = {}
    for name, module in modules.items():
        kind = kinds.get(name, kinds.get(type(module).__name__, _kind(module, torch)))
        if kind:
            found[name] = (module, _layer(name or type(module).__name__, module, kind, torch))
    return found


def _kind(module: Any, torch: Any) -> str:
    """What a module is by its class; by its name where it is nobody's known class and has no modules of its own."""
    nn = torch.nn
    known: tuple[tuple[Any, str], ...] = (
        (nn.LayerNorm, "layer"),
        (nn.GroupNorm, "group"),
        (nn.modules.batchnorm._BatchNorm, "batch"),
        (nn.modules.instancenorm._InstanceNorm, "instance"),
        *(((nn.RMSNorm, "rms"),) if hasattr(nn, "RMSNorm") else ()),
    )
    # Instance norm is a batch norm to torch.
    for kind, what in sorted(known, key=lambda pair: pair[1] == "batch"):
        if isinstance(module, kind):
            return what
    name = type(module).__name__.lower()
    if next(module.children(), None) is not None:
        return ""
    return "rms" if name.endswith("rmsnorm") else "layer" if name.endswith("layernorm") else ""


def _layer(name: str, module: Any, kind: str, torch: Any) -> NormLayer:
    epsilon = next((getattr(module, each) for each in EPSILONS if isinstance(getattr(module, each, None), float)), None)
    if epsilon is None:
        # torch's RMSNorm adds the format's own epsilon where it is given none.
        weight = getattr(module, "weight", None)
        epsilon = torch.finfo(weight.dtype if weight is not None else torch.float32).eps if kind == "rms" else 0.0
    shape = getattr(module, "normalized_shape", None)
    count = len(shape) if isinstance(shape, (tuple, list)) else 1
    mean = variance = None
    formula = Formula.FUSED
    if kind == "batch" and not module.training and getattr(module, "running_var", None) is not None:
        formula = Formula.RUNNING
        mean, variance = (
            getattr(module, each).detach().cpu().double().numpy() for each in ("running_mean", "running_var")
        )
    return NormLayer(
        name,
        kind,
        formula,
        float(epsilon),
        tuple(range(-count, 0)),
        int(getattr(module, "num_groups", 0)) if kind == "group" else 0,
        mean=mean,
        variance=variance,
        nodes=(name,),
    )
