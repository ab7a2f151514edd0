"""What normalises a batch in training: whose statistics, which correction, which epsilon and where."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..probes import questions
from .finding import Finding, Interval, listed, measured, short, undetermined
from .normalising import FLOORS, SLACK, Line, Rule, line, moments_of, rules
from .reading import Run, Table, Variant
from .statistics_source import whose

__all__ = ["Normal", "training"]


@dataclass
class Normal:
    """The rules of normalising, under the default epsilon and under the argument's, where they are known."""

    default: Rule | None = None
    argument: Rule | None = None
    bare: bool = False  # no epsilon by default
    findings: list[Finding] = field(default_factory=list)


def training(variant: Variant) -> Normal:
    """Everything that one training pass over groups of many magnitudes tells."""
    centred = variant.kind != "rms"
    corrections = None if centred else (0.0,)
    names = (["correction.normalise"] if centred else []) + ["epsilon.default", "epsilon.place"]
    if variant.kind == "batch":
        names.append("training.statistics")
    table = variant.batches("scales")[0] if variant.answers.get("scales") else np.zeros((0, 0))
    run = variant.run("scales")
    y = run.table("train") if run else None
    if run is None or y is None:
        return Normal(findings=[variant.unanswered("scales", name) for name in names])
    moments = moments_of(table, centred)
    lines = _lines(table, y, centred)
    asked = variant.run("epsilon")
    answer = asked.table("train") if asked else None
    default = _rules(moments, table.shape[1], lines, corrections)
    argument = [] if answer is None else _rules(moments, table.shape[1], _lines(table, answer, centred), corrections)
    exact = [rule for rule in argument if questions.EPSILON in rule.epsilon]
    argument = exact or argument
    both = _common(default, argument)
    normal = Normal()
    bare = bool(np.isnan(y[np.array(moments) == 0]).any())
    if centred:
        normal.findings.append(_correction(default, table.shape[1]))
    normal.findings += _epsilon(normal, both, argument, bare, _refused(variant, asked))
    if variant.kind == "batch":
        finding, shown = whose(variant, lines, y, default, normal.default, answer)
        if not shown:  # outputs that running statistics gave, which happen to be near the batch's
            why = "training normalises by the running statistics, even the first batch"
            normal = Normal(findings=[undetermined(one.name, why) for one in normal.findings])
        normal.findings.append(finding)
    return normal


def _lines(table: Table, y: Table, centred: bool) -> list[Line | None]:
    if y.shape != table.shape:
        return [None] * len(table)
    return [line(a, b, centred=centred) for a, b in zip(table, y, strict=True)]


def _rules(
    moments: list[float], count: int, lines: list[Line | None], corrections: tuple[float, ...] | None
) -> list[Rule]:
    """The rules that hold for all groups; none where a group with a spread lies on no line."""
    if any(found is None and moment > 0 for found, moment in zip(lines, moments, strict=True)):
        return []
    return rules(moments, count, lines, corrections)


def _common(default: list[Rule], argument: list[Rule]) -> list[Rule]:
    """The default's rules that hold with the argument as well, where that tells anything."""
    kept = [one for one in default if any(one.place == two.place for two in argument)]
    return kept if argument and kept else default


def _refused(variant: Variant, asked: Run | None) -> str:
    problem = variant.problem("epsilon")
    return problem.sentence if problem and (asked is None or not asked.event("train").get("y")) else ""


def _correction(default: list[Rule], count: int) -> Finding:
    name = "correction.normalise"
    if not default:
        return undetermined(name, "no divisor n - c with one epsilon explains the outputs of all groups")
    found = sorted({rule.correction for rule in default})
    if len(found) > 1:
        return undetermined(name, f"{listed(f'{c:g}' for c in found)}: at {count} values a group both explain it")
    c = found[0]
    if c in (0, 1):
        return measured(name, int(c), f"variance with the divisor {'n' if c == 0 else 'n - 1'}, n = {count}")
    value, _ = short(Interval.about(c, (count - c) * 2 * SLACK))
    return measured(name, value, f"divisor n - {value:g} at n = {count}, neither n nor n - 1")


def _epsilon(normal: Normal, both: list[Rule], argument: list[Rule], bare: bool, refused: str) -> list[Finding]:
    """Epsilon's default and place; sets the rules of `normal`."""
    default, place = "epsilon.default", "epsilon.place"
    if not both:
        why = "no epsilon in a known place explains the outputs of all groups"
        return [undetermined(default, why), undetermined(place, why)]
    asked = sorted({rule.place for rule in argument})
    places = sorted({rule.place for rule in both})
    one = both[0]
    if len(argument) == 1:
        normal.argument = argument[0]
    hidden = [rule for rule in both if rule.epsilon.low <= 0]
    if hidden:
        normal.default = one if len({rule.correction for rule in both}) == 1 else None
        below = max(rule.epsilon.high for rule in hidden)
        normal.bare = bare
        if bare:
            found = [measured(default, 0.0, f"a constant group gives NaN, and epsilon is at most {below:.2g}")]
            where = asked[0] if len(asked) == 1 else "none"
            return [*found, measured(place, where, "by the argument" if where != "none" else "no epsilon by default")]
        why = f"none, or one of at most {below:.2g}, below what float32 outputs show"
        if len(asked) == 1:
            return [undetermined(default, why), measured(place, asked[0], "by the argument 0.25")]
        return [undetermined(default, why), undetermined(place, why)]
    if len({(rule.correction, rule.place) for rule in both}) > 1:
        if len({rule.correction for rule in both}) == 1 and set(places) <= set(FLOORS):
            normal.default = one  # either does the same
        alternatives = listed(f"{rule.place} with {rule.epsilon.middle:.4g}" for rule in both)
        return [
            undetermined(default, alternatives),
            undetermined(place, f"{alternatives}" + (f" ({refused})" if refused else "")),
        ]
    normal.default = one
    value, unique = short(one.epsilon)
    return [
        measured(default, value, f"{one.epsilon}" + ("" if unique else ": no short decimal alone is in it")),
        measured(place, places[0], "" if asked == places else "from the default epsilon alone"),
    ]
