"""From observations to findings: what a framework's normalisation layers do, or why that cannot be told.

Each module asks one thing and is fed arrays: `normalising`, `laws`, `gradients` and `accuracy` hold the hypotheses,
which are enumerated and solved; one is accepted if it alone fits, within an error stated from the outputs' format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..findings.properties import FindingStatus, properties_of
from .accuracy import accuracies, half_precision_findings
from .algorithms import algorithm
from .evaluating import epsilon_of_inference, evaluation
from .finding import Finding, not_applicable, undetermined
from .gradients import gradient
from .reading import Variant
from .running_statistics import running
from .single import one_value
from .training_statistics import training

__all__ = ["findings", "infer"]


def findings(variant: Variant) -> list[Finding]:
    """What one kind and variant of layer does, in the order of the vocabulary."""
    normal = training(variant)
    found = list(normal.findings)
    kept = None
    if variant.kind == "batch":
        kept = running(variant, normal)
        found += kept.findings
    found += [*one_value(variant), gradient(variant, normal)]
    if variant.kind in ("batch", "instance"):
        found.append(evaluation(variant, normal, kept))
    errors, measures = accuracies(variant, normal, kept)
    found += errors
    if variant.kind != "rms":
        found.append(algorithm(variant, measures, kept, errors))
    found += half_precision_findings(variant, normal)
    by_name = {one.name: one for one in found}
    if by_name["epsilon.default"].status == FindingStatus.NOT_APPLICABLE:
        by_name |= {one.name: one for one in epsilon_of_inference(variant)}
    chosen = variant.chosen  # by the adapter, since the framework leaves it to its caller: nothing of the framework's
    by_name |= {name: not_applicable(name, why) for name, why in chosen.items() if name in by_name}
    order = [one.id for one in properties_of(variant.kind)]
    return [by_name.get(name, undetermined(name, "no question tells it")) for name in order]


def infer(observations: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The findings of one probe's file.

    Parameters
    ----------
    observations : what ``probes/probe.py`` writes.

    Returns
    -------
    list : of {"kind", "variant", "property", "value", "status", "detail"}, one for each property of each kind and
        variant that was asked. `value` is None unless the status is "measured".

    Raises
    ------
    ValueError
        The observations are of another format.
    """
    if observations.get("format") != 1:
        raise ValueError(f"observations of format {observations.get('format')!r}: run this version's probe.py again")
    variants = [Variant(one["kind"], one["variant"], one["answers"]) for one in observations.get("variants", [])]
    return [finding.record(variant.kind, variant.name) for variant in variants for finding in findings(variant)]
