"""What the ``facts.json`` or ``facts.py`` of a framework's folder declares: the framework, and code for its state.

These are calls of the frameworks' interfaces, no conventions: what a default or a number means is measured, elsewhere.
Four functions of every snippet have the same names whatever the framework:

    read(layer)          -> {"gamma", "beta", "mean", "var"}, float64 numpy arrays (channels,)
    settings(layer)      -> {"epsilon", "momentum", "axis", "rank", "scale", "shift"}, None or absent where it has none
    make(channels, ...)  -> a fresh layer with these settings, momentum as its own argument
    write(layer, state)  -> the layer with the state in it

Where a framework keeps a layer's arrays apart from the layer, "layer" is what holds the arrays: flax's `variables`,
haiku's (params, state), equinox's (layer, state), ONNX's model. What `make` gives holds all that an evaluation needs:
flax's (module, variables), haiku's (function, params, state).
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..environments import Environment, EnvironmentProblem
from ..environments.shared import described

__all__ = ["Framework", "StateCode", "reads", "reads_of"]


@dataclass(frozen=True)
class StateCode:
    """Code that reads, makes and writes the state of a framework's batch norm: the pieces of a port's snippet.

    Attributes
    ----------
    imports : lines. reads, settings, makes, writes : the bodies of the four functions. `makes` has channels, epsilon,
        momentum, axis, rank, scale and shift; the port fills in {mode}, the first word of the variant.
    layer : what the functions take. epsilon, momentum : the arguments' names.
    momentum_needed : whether a layer cannot be made without that argument.
    axes : where a layer can have its channels, 1 or -1; the first is its habit.
    cumulative : whether the momentum "cumulative" stands for a plain average over all batches.
    """

    imports: str
    layer: str
    reads: str
    settings: str
    makes: str
    writes: str
    epsilon: str = "epsilon"
    momentum: str = "momentum"
    momentum_needed: bool = False
    axes: tuple[int, ...] = (1,)
    cumulative: bool = False


_STATE = """\
if pairs["mean"] is None or pairs["var"] is None:
    raise ValueError("the layer has no running statistics: there is no state to carry")
there = {{name: value for name, value in pairs.items() if value is not None}}
state = {{name: {convert} for name, value in there.items()}}
return {{"gamma": np.ones_like(state["mean"]), "beta": np.zeros_like(state["mean"]), **state}}"""


def reads_of(pairs: str, convert: str) -> str:
    """The body of `read`, of lines that make `pairs`: a layer's values, None where it has none."""
    return pairs + "\n" + _STATE.format(convert=convert)


def reads(gamma: str, beta: str, mean: str, var: str, convert: str) -> str:
    """The body of `read` where the layer has, or lacks, an attribute for each."""
    names = f'names = {{"gamma": "{gamma}", "beta": "{beta}", "mean": "{mean}", "var": "{var}"}}'
    pairs = "pairs = {name: getattr(layer, attribute, None) for name, attribute in names.items()}"
    return reads_of(f"{names}\n{pairs}", convert)


@dataclass(frozen=True)
class Framework:
    """A framework, or one back end of it, as its folder declares it.

    Attributes
    ----------
    name, title : for commands and for people. runs_in : its isolated environment; None where it is not measured.
    modules : top-level modules; where all of them are installed, it runs in this interpreter; with none named it never
        does.
    variables : environment variables of its process. seconds : limit of one run of the probe.
    sync : whether ``sync.py`` in its folder observes its synchronised batch norm.
    state : code for the state of its batch norm; None where no port writes any.
    why : the reason why only its documentation is known; empty where it is measured.
    order : its place in tables; equal places go by name.
    folder : where its ``adapter.py`` is; discovery fills it in.
    """

    name: str
    title: str
    runs_in: Environment | None = None
    modules: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 900.0
    sync: bool = False
    state: StateCode | None = None
    why: str = ""
    order: int = 1000
    folder: Path = Path()

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Framework:
        """A framework from ``facts.json``: an object with the attributes that are not the defaults, and no `state`."""
        return cls(**{**facts, "runs_in": described(facts.get("runs_in")), "modules": tuple(facts.get("modules", ()))})

    @property
    def environment(self) -> str:
        """The name of its isolated environment; empty where it has none."""
        return self.runs_in.name if self.runs_in else ""

    @property
    def measured(self) -> bool:
        """Whether it can be measured at all."""
        return not self.why

    def place(self) -> Environment:
        """Its isolated environment.

        Raises
        ------
        EnvironmentProblem
            None runs it: it is known by its documentation only.
        """
        if self.runs_in is None:
            raise EnvironmentProblem(f"{self.name} is known by its documentation only: {self.why}")
        return self.runs_in

    def importable(self) -> bool:
        """Whether this interpreter has it; nothing is imported."""
        try:
            return bool(self.modules) and all(importlib.util.find_spec(module) is not None for module in self.modules)
        except (ImportError, ValueError):
            return False

    def unpinned(self, version: str) -> str:
        """Which packages of a version are not at the pinned one, in words; empty where all are, or none is pinned.

        Parameters
        ----------
        version : as a finding has it, such as ``keras 3.15.1, jax 0.10.2``.
        """
        pins = self.runs_in.pins() if self.runs_in else {}
        aliases = self.runs_in.aliases if self.runs_in else {}
        other = []
        for each in version.split(", "):
            package, _, number = each.rpartition(" ")
            name = package.lower().replace("_", "-")
            pin = pins.get(name) or pins.get(aliases.get(name, name))
            # 2.13.0+cpu and 2026.4.1-22982-... are builds of a version; 2.7 may call itself so in 2.7.post2.
            if pin is not None and re.split(r"[+-]", number)[0] not in (pin, pin.partition(".post")[0]):
                other.append(f"{package} {number} (pinned {pin})")
        return ", ".join(other)

    def script(self) -> Path:
        """The path of its adapter."""
        return self.folder / "adapter.py"

    def sync_script(self) -> Path:
        """The path of the script that observes its synchronised batch norm."""
        return self.folder / "sync.py"
