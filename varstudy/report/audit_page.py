"""An audit in one page: the verdict, the layers at risk with the reasons, and every layer's figures."""

from __future__ import annotations

import math
from typing import Any

from .. import __version__
from ..networks.audit import Audit, AuditedLayer
from ..networks.format_risks import Level
from ..networks.sensitivity import Effect, Outcome
from .rendering import asset, environment, policy
from .words import number

__all__ = ["render"]

_ABSENT = "–"


def render(found: Audit, strict: bool = False) -> str:
    """The page, as HTML that needs nothing from anywhere.

    Parameters
    ----------
    found : the audit. strict : whether what depends on the accumulator is in the list, too.
    """
    levels = {level: found.of(level) for level in Level}
    return (
        environment()
        .get_template("audit.html.j2")
        .render(
            policy=policy(),
            style=asset("style.css"),
            version=__version__,
            model=found.model,
            format=found.format,
            verdict=found.verdict,
            notes=found.notes,
            tiles=[
                ("bad", len(levels[Level.BREAKS]), ("breaks", "break"), "whatever the kernel"),
                ("", len(levels[Level.DEPENDS]), ("breaks", "break"), f"where the kernel adds in {found.format}"),
                (
                    "good",
                    len(found.layers) - len(levels[Level.BREAKS]) - len(levels[Level.DEPENDS]),
                    ("does not", "do not"),
                    "",
                ),
            ],
            reasons=[
                (each.facts.layer.name, risk.level.value, risk.what, risk.sentence)
                for level in Level
                for each in found.layers
                for risk in each.risks
                if risk.level is level
            ],
            lines=[_line(each, found.format) for each in found.layers],
            effects=[
                (each.layer or "all", each.way, _outcome(each), f"{each.not_finite:,} of {each.values:,}")
                for each in found.effects
            ],
            keep=found.keep(strict),
            beyond=[(name, number(value)) for name, value in found.beyond.items()],
        )
    )


def _line(each: AuditedLayer, to: str) -> dict[str, Any]:
    facts, layer, lost = each.facts, each.facts.layer, each.losses
    at, share = facts.energy_share
    by = lost.algorithms if lost else {}
    return {
        "name": layer.name,
        "norm": layer.kind,
        "formula": layer.formula.value,
        "size": f"{facts.rows:,} × {', '.join(map(str, sorted(facts.values))) or _ABSENT}",
        "epsilon": f"{layer.epsilon:g}",
        "figures": [
            _figure(each.kappa),
            _figure(facts.kappa_median),
            _figure(facts.largest),
            _figure(facts.squares),
            _figure(facts.variance_low if facts.rows > facts.nonfinite else math.nan),
            _figure(facts.peak) + (f" (feature {at}: {share:.0%})" if at >= 0 and share >= 0.1 else ""),
            _figure(lost.storage if lost else math.nan),
            _figure(by.get(("two_pass", to), math.nan)),
            _figure(by.get(("pairwise", to), math.nan)),
            _figure(by.get(("naive", "float32"), math.nan)),
            _figure(each.runtime),
        ],
        "advice": each.problem or (lost.verdict.answer if lost and lost.verdict else _ABSENT),
        "level": each.level.value if each.level else "none",
    }


def _outcome(each: Effect) -> str:
    """The error, or in words that there is none, or that nothing is left."""
    if each.outcome is Outcome.NOT_FINITE:
        return "NaN or infinite"
    return _figure(each.error) + (", finite and wrong" if each.outcome is Outcome.WRONG else "")


def _figure(value: float) -> str:
    return _ABSENT if math.isnan(value) else "∞" if math.isinf(value) else number(value)
