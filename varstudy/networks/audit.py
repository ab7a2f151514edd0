"""An audit of a network: its layers, what each risks in a format, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from varkernels.formats import FORMATS, Format

from .format_risks import Level, Risk, risks
from .layer_facts import LayerFacts, kappa_of
from .layer_losses import Losses, losses
from .norm_layers import Formula, listed
from .sensitivity import Effect

__all__ = ["Audit", "AuditedLayer", "audit_of", "audited", "format_named"]


@dataclass(frozen=True)
class AuditedLayer:
    """A layer with its facts, its risks (the surest first), what its rows lose, and what the runtime's kernel loses.

    Attributes
    ----------
    runtime : the relative error of the variance that the runtime computed in its own format, or of the output relative
        to its largest element; NaN: not measured. runtime_of : "variance" or "output".
    problem : why the layer could not be audited; empty where it was.
    """

    facts: LayerFacts
    risks: list[Risk]
    losses: Losses | None
    runtime: float = math.nan
    runtime_of: str = ""
    problem: str = ""

    @property
    def level(self) -> Level | None:
        """The surest risk; None where there is none."""
        return self.risks[0].level if self.risks else None

    @property
    def kappa(self) -> float:
        """The largest condition number with epsilon: of the running statistics where the layer has kept them."""
        layer = self.facts.layer
        if layer.formula is Formula.RUNNING and layer.mean is not None and layer.variance is not None:
            return float(np.nanmax(kappa_of(layer.mean, layer.variance, layer.epsilon), initial=0.0))
        return self.facts.kappa_worst

    def record(self) -> dict[str, Any]:
        """All of it as plain data."""
        facts, layer, lost = self.facts, self.facts.layer, self.losses
        at, share = facts.energy_share
        return {
            "name": layer.name,
            "kind": layer.kind,
            "formula": layer.formula.value,
            "epsilon": layer.epsilon,
            "rows": facts.rows,
            "values": sorted(facts.values),
            "kappa_worst": self.kappa,
            "kappa_median": facts.kappa_median,
            "largest": facts.largest,
            "largest_sum": facts.sum,
            "largest_sum_of_squares": facts.squares,
            "largest_m2": facts.m2,
            "variance": [facts.variance_low, facts.variance_high],
            "constant_rows": facts.constant,
            "rows_below_epsilon": facts.below,
            "peak": facts.peak,
            "feature_with_most_energy": at,
            "its_share": share,
            "largest_output": facts.output,
            "storage_loss": lost.storage if lost else math.nan,
            "losses": {f"{name} in {fmt}": error for (name, fmt), error in lost.algorithms.items()} if lost else {},
            "advice": lost.verdict.answer if lost and lost.verdict else "",
            "runtime": self.runtime,
            "runtime_of": self.runtime_of,
            "problem": self.problem,
            "risks": [{"level": each.level.value, "what": each.what, "why": each.sentence} for each in self.risks],
            "nodes": list(layer.nodes),
        }


@dataclass(frozen=True)
class Audit:
    """What was found in a network.

    Attributes
    ----------
    model : its name. format : the format asked about. layers : in the network's order.
    beyond : operators or modules outside the norms with a value beyond the format, and that value.
    notes : what could not be looked at, a sentence each.
    effects : what replacing norms does to the output; empty where that was not asked for.
    """

    model: str
    format: str
    layers: list[AuditedLayer]
    beyond: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)

    def of(self, level: Level) -> list[AuditedLayer]:
        """The layers whose surest risk has a level."""
        return [each for each in self.layers if each.level is level]

    def keep(self, strict: bool = False) -> list[str]:
        """The operators, or the modules, to keep in float32: those that break, and what produces values beyond the
        format; with `strict` also those that depend on the accumulator."""
        levels = (Level.BREAKS, Level.DEPENDS) if strict else (Level.BREAKS,)
        names = [name for each in self.layers if each.level in levels for name in each.facts.layer.nodes]
        return list(dict.fromkeys([*names, *self.beyond]))

    @property
    def verdict(self) -> str:
        """The answer: which layers break, which depend on the accumulator, or that none does."""
        total = len(self.layers)
        if not total:
            return "No normalisation layer was found."
        layers = f"{total} layer{'s' if total != 1 else ''}"
        breaks, depends = self.of(Level.BREAKS), self.of(Level.DEPENDS)
        said = []
        if breaks:
            said.append(
                f"{len(breaks)} of {layers} {_break(breaks)} in {self.format}: {_named(breaks)}; keep "
                f"{'it' if len(breaks) == 1 else 'these'} in float32."
            )
        if depends:
            start = f"{len(depends)} more" if breaks else f"{len(depends)} of {layers}"
            said.append(
                f"{start} overflow{'s' if len(depends) == 1 else ''} only where the kernel squares or adds in "
                f"{self.format}: {_named(depends)}."
            )
        if not said:
            said.append(f"None of {layers} is at risk in {self.format} on this data.")
        if self.beyond and not breaks:
            said.append(f"Outside the norms, {len(self.beyond)} operators have values beyond {self.format}.")
        return " ".join(said)

    def __str__(self) -> str:
        lines = [self.verdict]
        for each in self.layers:
            lines += [f"- {each.facts.layer.name}: {risk.sentence}" for risk in each.risks if risk.level != Level.NOTE]
        return "\n".join([*lines, *(f"- {note}" for note in self.notes)])

    def record(self, strict: bool = False) -> dict[str, Any]:
        """All of it as plain data, for JSON."""
        return {
            "model": self.model,
            "format": self.format,
            "verdict": self.verdict,
            "keep_in_float32": self.keep(strict),
            "beyond": self.beyond,
            "notes": self.notes,
            "layers": [each.record() for each in self.layers],
            "sensitivity": [each.record() for each in self.effects],
        }


def _break(layers: Sequence[AuditedLayer]) -> str:
    overflow = all("overflow" in each.risks[0].what for each in layers)
    return ("overflow" if overflow else "break") + ("s" if len(layers) == 1 else "")


def _named(layers: Sequence[AuditedLayer]) -> str:
    return listed([each.facts.layer.name for each in layers])


def format_named(name: str) -> Format:
    """float16 or bfloat16 by name.

    Raises
    ------
    ValueError
        It is another one.
    """
    if name not in ("float16", "bfloat16"):
        raise ValueError(f"format {name!r}: an audit knows float16 and bfloat16")
    return FORMATS[name]


def audited(
    facts: LayerFacts, fmt: Format, runtime: float = math.nan, runtime_of: str = "", problem: str = ""
) -> AuditedLayer:
    """A layer's risks and losses, from its facts."""
    return AuditedLayer(facts, risks(facts, fmt), losses(facts, fmt), runtime, runtime_of, problem)


def audit_of(
    model: str,
    fmt: Format,
    layers: Sequence[AuditedLayer],
    beyond: dict[str, float] | None = None,
    notes: Sequence[str] = (),
    effects: Sequence[Effect] = (),
) -> Audit:
    """Put an audit together; layers that no data reached are told."""
    silent = [each.facts.layer.name for each in layers if not each.facts.calls and not each.problem]
    told = list(notes)
    if silent:
        told.append(f"No data reached {listed(silent)}: nothing is known there.")
    told += [f"{each.facts.layer.name} could not be audited: {each.problem}." for each in layers if each.problem]
    return Audit(model, fmt.name, list(layers), dict(beyond or {}), told, list(effects))
