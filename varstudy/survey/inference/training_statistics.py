"""What normalises a batch in training: whose statistics, which correction, which epsilon and where.

A fresh layer's pass and each of five steps tell whose statistics. A fresh layer alone does not tell: running
statistics that adopt the first batch are that batch's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..findings.properties import EpsilonPlace, TrainingStatistics
from ..probes import questions
from .finding import Finding, Interval, listed, measured, short, undetermined
from .normalising import FLOORS, SLACK, SPREADS, Line, Rule, as_batch, as_running, line, moments_of, rules
from .reading import Run, Statistics, Table, Variant

__all__ = ["Normal", "training"]

SOURCE = "training.statistics"
BATCH, RUNNING, OTHER = TrainingStatistics
BEFORE, AFTER = "before", "after"
OFF = "off every line"  # outputs that no statistics give


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
        finding, shown = _whose(variant, lines, y, default, normal.default, answer)
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
            where = asked[0] if len(asked) == 1 else EpsilonPlace.NONE
            return [*found, measured(place, where, "by the argument" if asked == [where] else "no epsilon by default")]
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


def _whose(
    variant: Variant,
    lines: Sequence[Line | None],
    y: Table,
    default: Sequence[Rule],
    rule: Rule | None,
    argument: Table | None = None,
) -> tuple[Finding, bool]:
    """The finding, and whether a fresh layer's pass shows what a batch's own statistics do: the rule of normalising.

    Parameters
    ----------
    lines : through the outputs `y` of a fresh layer for groups of every magnitude. default : the rules that explain
        them by the batch's own statistics. rule : the one, if it is known. argument : the outputs under the argument.
    """
    run = variant.run("scales")
    assert run is not None
    first = _fresh(variant.batches("scales")[0], y, lines, default, run)
    if not first.known and argument is not None and _misplaced(variant, argument):
        why = "each value's are those of another channel: of the value's place in memory, modulo the channels"
        return measured(SOURCE, OTHER, f"the batch's, but {why}"), True
    steps = _steps(variant, rule) if first.known and first.value != OTHER else []
    shown = first.value != RUNNING
    if not steps:
        return first, shown
    if all(BATCH in one for one in steps) and first.value == BATCH:
        return measured(SOURCE, BATCH, f"{first.detail}, at each of {len(steps)} steps"), shown
    began = {when: _since(steps, when) for when in (BEFORE, AFTER)}
    when = min(began, key=lambda one: began[one])
    since = began[when]
    if since < len(steps) and all(BATCH in one for one in steps[:since]):
        deciding = next((t for t, one in enumerate(steps) if BATCH not in one), len(steps) - 1)
        words = f"the running statistics as they are {when} the step"
        if since == 0:
            return measured(SOURCE, RUNNING, f"{words}, told from step {deciding + 1} on"), shown and deciding > 0
        return measured(SOURCE, RUNNING, f"{words}, from step {since + 1} on; the batch's own until then"), shown
    odd = next((t for t, one in enumerate(steps) if one <= {OFF}), 0)
    described = (
        f"{first.value} with a fresh layer, and from step {odd + 1} on neither the batch's statistics nor the running"
    )
    if any(OFF in one for one in steps):
        return undetermined(SOURCE, f"{described} ones; not all outputs lie on a line"), shown
    return measured(SOURCE, OTHER, f"{described} ones"), shown


def _since(steps: Sequence[set[str]], when: str) -> int:
    """From which step on the running statistics of that moment explain every output."""
    since = len(steps)
    while since and when in steps[since - 1]:
        since -= 1
    return since


def _steps(variant: Variant, rule: Rule | None) -> list[set[str]]:
    """What explains the outputs of each step that has any."""
    run = variant.run("steps")
    if run is None:
        return []
    found: list[set[str]] = []
    before = run.initial
    for t, (table, after) in enumerate(zip(variant.batches("steps"), run.after(), strict=False)):
        y = run.table("train", index=t)
        if y is None or y.shape != table.shape:
            break
        explained: set[str] = {BATCH} if as_batch(table, y, True, rule) else set()
        for when, statistics in ((BEFORE, before), (AFTER, after)):
            if _running(table, y, statistics):
                explained.add(when)
        if not explained and any(line(row, out) is None for row, out in zip(table, y, strict=True)):
            explained = {OFF}
        found.append(explained)
        before = after
    return found


def _misplaced(variant: Variant, y: Table) -> bool:
    """Whether value i of the array, in its order in memory, has the statistics of channel i mod C."""
    table = variant.batches("epsilon")[0]
    if variant.kind != "batch" or y.shape != table.shape:
        return False
    x = questions.place(variant.kind, variant.name, table)
    out = questions.place(variant.kind, variant.name, y).reshape(-1)
    channel = np.arange(x.size) % len(table)
    if (channel == np.arange(x.size) // (x.size // len(x) // len(table)) % len(table)).all():
        return False  # its own
    for correction in (0, 1):
        v = ((table - table.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) / (table.shape[1] - correction)
        want = (x.reshape(-1) - table.mean(axis=1)[channel]) / np.sqrt(v + questions.EPSILON)[channel]
        if (np.abs(out - want) <= 1e-5 * (1 + np.abs(want))).all():
            return True
    return False


def _running(table: Table, y: Table, statistics: Statistics | None) -> bool:
    return any(as_running(table, y, statistics, keeps) for keeps in SPREADS)


def _fresh(table: Table, y: Table, lines: Sequence[Line | None], default: Sequence[Rule], run: Run) -> Finding:
    usable = [(row, found) for row, found in zip(table, lines, strict=True) if found is not None]
    means = bool(usable) and all(abs(found.mean - row.mean()) <= found.mean_error + 1e-30 for row, found in usable)
    if means and default:
        return measured(SOURCE, BATCH, "each group's own mean and variance")
    states = ((run.initial, BEFORE), ((run.after() or [None])[0], AFTER))
    for statistics, when in states:
        if _running(table, y, statistics):
            return measured(SOURCE, RUNNING, f"the running statistics as they are {when} the step")
    if not usable:
        return undetermined(SOURCE, "no group's outputs lie on a line")
    if any(found is None for row, found in zip(table, lines, strict=True) if np.ptp(row) > 0) or means:
        return undetermined(SOURCE, "the outputs follow neither the batch's statistics nor the running ones")
    if all(statistics is None for statistics, _ in states):
        return undetermined(SOURCE, "not the batch's mean is subtracted, and no running one can be read")
    return measured(SOURCE, OTHER, "neither the batch's mean nor the running one is subtracted")
