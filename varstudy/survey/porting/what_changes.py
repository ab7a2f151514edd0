"""The parts of a convention, side by side, and what to do about each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from ..findings.properties import EpsilonInRunning, EpsilonPlace, Evaluation, MomentumSide, RunningLaw, is_number
from .convention import EVIDENCE, PROPERTIES, UNKNOWN, Convention
from .settings import Sides

__all__ = ["PortChange", "changes"]

# Laws whose weights tend to the same one, at the speed (1 - w)^k.
TENDING = (RunningLaw.EXPONENTIAL, RunningLaw.ADOPTED, RunningLaw.DEBIASED, RunningLaw.ACCUMULATED)

INFERENCE = (
    "For inference with the source's outputs the running variance is carried as it is, since an evaluation divides by "
    "it uncorrected. The factor is for training on, or for comparing with a model that was trained in the target."
)
NOT_MEASURED = "not measured"
_FIND_OUT = "not measured: find out first"
_ONE = "keep batches with a single value a channel away from both"
_OUTPUTS = "no argument changes it: outputs in training differ as the table says"
_STORE = "store another running variance, so that the divisor is the source's (the snippet does)"
_AT_SMALL = "not measured: compare outputs at a small variance first"


@dataclass(frozen=True)
class PortChange:
    """One part of the convention.

    Attributes
    ----------
    part : what it is. source, target : how each has it, "not measured" where that is not known.
    do : what to do, one sentence. when : "inference" if the outputs of a carried layer hang on it, "training" if
        only training in the target does, "both". needed : None where it is not known.
    evidence : the weakest of both sides, in the words of `convention.EVIDENCE`.
    effect : what it changes of (output - shift) if it is left alone, for one variance; empty where that is not known.
    """

    part: str
    source: str
    target: str
    do: str
    when: str
    needed: bool | None
    evidence: str
    effect: str = ""


def changes(sides: Sides) -> tuple[list[PortChange], list[str], list[str]]:
    """Every part of the two conventions, notes on what no conversion mends, and notes on what is known."""
    one, other = both = sides.source, sides.target

    def part(title: str, name: str, when: str, advice: str, unknown: str = _FIND_OUT) -> PortChange:
        needed = _differ(one[name], other[name])
        do = {True: advice, False: "nothing", None: unknown}[needed]
        return PortChange(title, _shown(one[name]), _shown(other[name]), do, when, needed, _evidence(sides, name))

    def initial(title: str, name: str) -> PortChange:
        found = part(title, name, "training", f"fill a fresh target with {_shown(one[name])}")
        if other.initial_counts is False or (one.initial_counts is False and other.initial_counts is None):
            return replace(found, do="nothing: the target gives its initial value no weight", needed=False)
        if one.initial_counts is False:
            do = f"the source gives it no weight: {_first_step(other)}; else the initial value stays in"
            return replace(found, do=do, needed=True)
        return found

    def one_value(title: str, name: str) -> PortChange:
        found = part(title, name, "training", _ONE)
        return found if 1 in sides.counts else replace(found, needed=False, do="nothing: no batch has one value")

    found = [
        _epsilon(sides),
        part("place of epsilon", "epsilon.place", "both", _STORE, _AT_SMALL),
        _factor(sides),
        part("what is kept", "running.keeps", "both", "the snippet turns one into the other"),
        part("epsilon in the running variance", "epsilon.in_running", "training", _out_and_in(one, other),
             "not measured: the snippet takes it for no"),
        _momentum(sides),
        part("law of the running statistics", "running.update", "training", "see the notes"),
        initial("initial running mean", "initial.mean"),
        initial("initial running variance", "initial.var"),
        part("correction that normalises in training", "correction.normalise", "training", _OUTPUTS),
        part("evaluation", "evaluation", "inference", "see the notes"),
        part("statistics in training", "training.statistics", "training",
             "the layers train differently, whatever the settings"),
        part("running statistics move in", "running.when", "training",
             "make sure that the training loop has that step"),
        one_value("output of one value a channel", "one_value.output"),
        one_value("running variance of one value", "one_value.running"),
    ]  # fmt: skip
    notes = [
        *(side.note for side in both if side.note),
        *_law_notes(sides),
        *(
            f"{side.framework} evaluates with {side['evaluation']}: the formulas here, which divide by the running "
            "statistics and epsilon, do not hold for its outputs."
            for side in both
            if side["evaluation"] not in (None, Evaluation.RUNNING)
        ),
        *_one_value_notes(sides),
        *(
            f"{side.framework} keeps decaying sums that are not divided: divide them by the sum of their weights first."
            for side in both
            if side.law == RunningLaw.ACCUMULATED
        ),
    ]
    known = [INFERENCE]
    for side in both:
        for evidence in (UNKNOWN, *EVIDENCE[1:-1]):
            names = [name for name in PROPERTIES if side.facts[name].evidence == evidence]
            of = " of" if evidence == UNKNOWN else ", of"
            if names:
                known.append(f"{evidence.capitalize()}{of} {side.framework}: {', '.join(names)}.")
    return found, notes, known


def _first_step(target: Convention) -> str:
    """What makes the first batch the running statistics of a fresh target."""
    argument = target.weight(Fraction(1)) if target.fixed_weight is None else None
    if argument is None:
        return "write the first batch's statistics into a fresh target"
    return f"take the first step of a fresh target with momentum {float(argument):g}"


def _evidence(sides: Sides, *names: str) -> str:
    known = (side.facts[name].evidence for side in (sides.source, sides.target) for name in names)
    return max(known, key=EVIDENCE.index)


def _shown(value: Any) -> str:
    if value is None:
        return NOT_MEASURED
    return f"{value:.10g}" if is_number(value) else str(value)


def _differ(one: Any, other: Any) -> bool | None:
    return None if one is None or other is None else bool(one != other)


def _epsilon(sides: Sides) -> PortChange:
    e, theirs = sides.epsilon, sides.target.number("epsilon.default")
    needed = _differ(e, theirs)
    do = "not measured: read the source layer's, and give it to the target"
    if e is not None:
        do = f"give the target epsilon {float(e):g}" + (" (its default)" if needed is False else "")
    if sides.target.place == EpsilonPlace.NONE:
        do = "the target has none: the snippet puts the source's into the stored variance"
    mine, default = (_shown(None if x is None else float(x)) for x in (e, theirs))
    return PortChange("epsilon", mine, f"{default} by default", do, "both", needed, _evidence(sides, "epsilon.default"))


def _factor(sides: Sides) -> PortChange:
    name = "correction.running"
    one, other, counts = sides.source, sides.target, sides.counts
    a, b = one.correction(sides.epsilon), other.correction(sides.epsilon)
    needed = _differ(a, b)
    do = {False: "nothing", None: _FIND_OUT}.get(needed, "")
    if a is not None and b is not None and needed:
        formula = f"{_over(a)} / {_over(b)}"
        values = ", ".join(f"{_ratio((n - a) / (n - b))} at n = {n}" for n in counts if n > b and n > a)
        do = f"to train on, multiply by {formula}" + (f": {values}" if values else "")
        if {one.epsilon_kept, other.epsilon_kept} != {EpsilonInRunning.NO}:
            do += ", with epsilon out of it as described below"
        lost = [str(n) for n in counts if n <= max(a, b)]
        if lost:
            do += f"; at n = {', '.join(lost)} there is no such variance"
    mine, theirs = (
        _shown(side[name]) if c is None else _formula(side.epsilon_kept, _over(c)) for side, c in ((one, a), (other, b))
    )
    return PortChange("running variance of a batch", mine, theirs, do, "training", needed, _evidence(sides, name))


def _ratio(value: Fraction) -> str:
    """A fraction as one, if people can read it."""
    return str(value) if value.denominator < 10**6 else f"{float(value):.6g}"


def _formula(epsilon_kept: str, over: str) -> str:
    """What is kept of a batch."""
    within = "(S + n e)" if epsilon_kept in (EpsilonInRunning.BEFORE, EpsilonInRunning.BOTH) else "S"
    return f"{within} / {over}" + (" + e" if epsilon_kept == EpsilonInRunning.ADDED else "")


def _over(correction: Fraction) -> str:
    return "n" if not correction else f"(n - {float(correction):.10g})"


def _out_and_in(one: Convention, other: Convention) -> str:
    """How epsilon leaves the one running variance and enters the other."""
    formulas = [
        _formula(side.epsilon_kept, "(n - c)") + " with e in c" * (side.epsilon_kept == EpsilonInRunning.BOTH)
        for side in (one, other)
    ]
    parts = []
    if one["epsilon.in_running"] != EpsilonInRunning.NO:
        parts.append(f"take epsilon out of the running variance, which is {formulas[0]}")
    if other["epsilon.in_running"] != EpsilonInRunning.NO:
        parts.append(f"put epsilon in, so that it is {formulas[1]}")
    return "to train on, " + ", and ".join(parts)


def _momentum(sides: Sides) -> PortChange:
    def shown(convention: Convention, number: Fraction | None, w: Fraction | None) -> str:
        multiplies = convention["momentum.multiplies"]
        if convention.cumulative:
            return "none: all batches weigh alike"
        phrase = _shown(convention["momentum.default"] if number is None else float(number))
        if phrase == NOT_MEASURED:
            fact = convention.facts["momentum.default"]
            if fact.evidence != UNKNOWN:  # measured: there is no default, or no argument
                phrase = fact.detail.partition(";")[0]
        else:
            phrase += " (of what: not measured)" if multiplies is None else f" of the {multiplies}"
        return phrase + (f": new batch {float(w):g}" if w is not None else "")

    other, m, argument = sides.target, sides.momentum, sides.argument
    needed = _differ(argument, other.momentum)
    do = "not measured: read both, and give the new batch the same weight"
    if argument is not None:
        do = f"give the target momentum {float(argument):g}" + (" (its default)" if needed is False else "")
        needed = needed is not False
        if m is not None and sides.handed is not None and sides.handed != sides.weight:
            do += f"; {float(m):g} handed over as it is would give the new batch {float(sides.handed):g}"
    elif sides.source.cumulative:
        do, needed = "give the target the weight 1 / (k + 1) of the next batch, after k batches (the code does)", True
    elif other["momentum.multiplies"] == MomentumSide.NONE:
        do, needed = "the target has no such argument", _differ(sides.weight, other.weight())
    elif sides.weight is None and other.momentum is None:
        do = "both need the argument: give the new batch the same weight in both"
    mine, theirs = shown(sides.source, m, sides.weight), shown(other, other.momentum, other.weight())
    if other["momentum.default"] is not None:
        theirs += " by default"
    evidence = _evidence(sides, "momentum.multiplies", "momentum.default")
    return PortChange("momentum", mine, theirs, do, "training", needed, evidence)


def _law(convention: Convention) -> str | None:
    if RunningLaw.OTHER in (convention["running.update"], convention["evaluation"]):
        return "of a law of their own"
    return None if convention["running.update"] is None else str(convention["running.update"])


def _law_notes(sides: Sides) -> list[str]:
    one, other = sides.source, sides.target
    a, b = _law(one), _law(other)
    if a is None or b is None:
        return []
    if a == b:
        same: dict[str, str] = {
            RunningLaw.PLAIN: "Both keep a plain average: carry the number of batches too, it is the next weight.",
            RunningLaw.WEIGHTED: "In both the weight depends on the batch size: keep it the same.",
        }
        return [same[a]] if a in same else []
    two = f"{one.framework}'s running statistics are {a}, {other.framework}'s {b}"
    if a in TENDING and b in TENDING:
        w = sides.weight
        fades = "" if w is None else f": (1 - {float(w):g})^k of the start is left in an exponential one"
        note = (
            f"{two}: from the first batch on they differ, and after k steps they agree but for what is left of the "
            f"first{fades}. A carried state is not a fresh one: the snippet marks it as one that has seen many "
            "batches, where the framework counts them."
        )
    else:
        note = (
            f"{two}: no momentum makes them agree, since the weight of a new batch is a constant in one and not in the "
            "other. The carried state serves inference; training on goes its own way."
        )
    return [note]


def _one_value_notes(sides: Sides) -> list[str]:
    if 1 not in sides.counts:
        return []
    phrase = [
        f"{side.framework}'s output is {_shown(side['one_value.output'])} and its running variance "
        f"{_shown(side['one_value.running'])}"
        for side in (sides.source, sides.target)
    ]
    return [f"With one value a channel S = 0 and there is no variance to train on: {'; '.join(phrase)}."]
