"""The parts of a convention, side by side, and what to do about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..findings.property_values import EpsilonInRunning, RunningLaw
from .convention import EVIDENCE, UNKNOWN, Convention
from .maths import weight_of

__all__ = ["PortChange", "changes"]

# Laws whose weights tend to the same one, at the speed (1 - w)^k.
TENDING = (RunningLaw.EXPONENTIAL, RunningLaw.ADOPTED, RunningLaw.DEBIASED, RunningLaw.ACCUMULATED)


INFERENCE = (
    "For inference with the source's outputs the running variance is carried as it is, since an evaluation divides by "
    "it uncorrected. The factor is for training on, or beside a model that was trained in the target."
)


@dataclass(frozen=True)
class PortChange:
    """One part of the convention.

    Attributes
    ----------
    part : what it is. source, target : how each has it, "not measured" where that is not known.
    do : what to do, one sentence. when : "inference" if the outputs of a carried layer hang on it, "training" if
        only training in the target does, "both". needed : None where it is not known.
    evidence : the weakest of both sides, in the words of `convention.EVIDENCE`.
    """

    part: str
    source: str
    target: str
    do: str
    when: str
    needed: bool | None
    evidence: str


def changes(
    one: Convention,
    other: Convention,
    counts: Sequence[int],
    e: Fraction | None,
    m: Fraction | None,
    weight: Fraction | None,
    argument: Fraction | None,
) -> tuple[list[PortChange], list[str]]:
    """Every part of the two conventions, and notes on what no conversion mends."""
    notes = [
        INFERENCE,
        *_law_notes(one, other, weight),
        *_evaluation_notes(one, other),
        *_one_value_notes(one, other, counts),
        *(side.note for side in (one, other) if side.note),
        *(
            f"{side.framework} keeps decaying sums that are not divided: divide them by the sum of their weights first."
            for side in (one, other)
            if side.law == RunningLaw.ACCUMULATED
        ),
    ]
    found = [
        _epsilon(one, other, e),
        _place(one, other),
        _factor(one, other, counts, e),
        _plain("what is kept", "running.keeps", one, other, "both", "the snippet turns one into the other"),
        _epsilon_kept(one, other),
        _momentum(one, other, m, weight, argument),
        _plain("law of the running statistics", "running.update", one, other, "training", "see the notes"),
        _initial(one, other, "mean"),
        _initial(one, other, "var"),
        _plain(
            "correction that normalises in training",
            "correction.normalise",
            one,
            other,
            "training",
            "no argument changes it: outputs in training differ as the table says",
        ),
        _plain("evaluation", "evaluation", one, other, "inference", "see the notes"),
        _plain(
            "statistics in training",
            "training.statistics",
            one,
            other,
            "training",
            "the layers train differently, whatever the settings",
        ),
        _plain(
            "running statistics move in",
            "running.when",
            one,
            other,
            "training",
            "make sure that the training loop has that step",
        ),
        _plain("output of one value a channel", "one_value.output", one, other, "training", _ONE),
        _plain("running variance of one value", "one_value.running", one, other, "training", _ONE),
    ]
    for side in (one, other):
        unknown = [name for name, fact in side.facts.items() if fact.evidence == UNKNOWN]
        if unknown:
            notes.append(f"Not measured of {side.framework}: {', '.join(unknown)}.")
        for evidence in EVIDENCE[1:-1]:
            phrase = [name for name, fact in side.facts.items() if fact.evidence == evidence]
            if phrase:
                notes.append(f"{evidence.capitalize()}, of {side.framework}: {', '.join(phrase)}.")
    return found, notes


_ONE = "keep batches with a single value a channel away from both"


def _evidence(one: Convention, other: Convention, *names: str) -> str:
    return max((side.facts[name].evidence for side in (one, other) for name in names), key=EVIDENCE.index)


def _shown(value: Any) -> str:
    if value is None:
        return "not measured"
    return f"{value:.10g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _differ(one: Any, other: Any) -> bool | None:
    return None if one is None or other is None else bool(one != other)


def _plain(part: str, name: str, one: Convention, other: Convention, when: str, advice: str) -> PortChange:
    needed = _differ(one[name], other[name])
    do = {True: advice, False: "nothing", None: "not measured: find out first"}[needed]
    return PortChange(part, _shown(one[name]), _shown(other[name]), do, when, needed, _evidence(one, other, name))


def _epsilon(one: Convention, other: Convention, e: Fraction | None) -> PortChange:
    theirs = other.number("epsilon.default")
    needed = _differ(e, theirs)
    do = "not measured: read the source layer's, and give it to the target"
    if e is not None:
        do = f"give the target epsilon {float(e):g}" + (" (its default)" if needed is False else "")
    if other.place == "none":
        do = "the target has none: the snippet puts the source's into the stored variance"
    shown = [_shown(None if x is None else float(x)) for x in (e, theirs)]
    evidence = _evidence(one, other, "epsilon.default")
    return PortChange("epsilon", f"{shown[0]}", f"{shown[1]} by default", do, "both", needed, evidence)


def _place(one: Convention, other: Convention) -> PortChange:
    needed = _differ(one["epsilon.place"], other["epsilon.place"])
    do = {
        True: "store another running variance, so that the divisor is the source's (the snippet does)",
        False: "nothing",
        None: "not measured: compare outputs at a small variance first",
    }[needed]
    a, b = (_shown(side["epsilon.place"]) for side in (one, other))
    return PortChange("place of epsilon", a, b, do, "both", needed, _evidence(one, other, "epsilon.place"))


def _factor(one: Convention, other: Convention, counts: Sequence[int], e: Fraction | None) -> PortChange:
    a, b = one.correction(e), other.correction(e)
    needed = _differ(a, b)
    do = {False: "nothing", None: "not measured: find out first"}.get(needed, "")
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
        _shown(side["correction.running"]) if c is None else _formula(side, c) for side, c in ((one, a), (other, b))
    )
    evidence = _evidence(one, other, "correction.running")
    return PortChange("running variance of a batch", mine, theirs, do, "training", needed, evidence)


def _ratio(value: Fraction) -> str:
    """A fraction as one, if people can read it."""
    return str(value) if value.denominator < 10**6 else f"{float(value):.6g}"


def _formula(side: Convention, correction: Fraction) -> str:
    """What is kept of a batch."""
    within = "(S + n e)" if side.epsilon_kept in (EpsilonInRunning.BEFORE, EpsilonInRunning.BOTH) else "S"
    return f"{within} / {_over(correction)}" + (" + e" if side.epsilon_kept == EpsilonInRunning.ADDED else "")


def _over(correction: Fraction) -> str:
    return "n" if not correction else f"(n - {float(correction):.10g})"


def _epsilon_kept(one: Convention, other: Convention) -> PortChange:
    name = "epsilon.in_running"
    a, b = one[name], other[name]
    needed = _differ(a, b)
    do = {False: "nothing", None: "not measured: the snippet takes it for no"}.get(needed, "")
    if needed:
        parts = []
        if a != EpsilonInRunning.NO:
            parts.append(f"take epsilon out of the running variance, which is {_symbols(one)}")
        if b != EpsilonInRunning.NO:
            parts.append(f"put epsilon in, so that it is {_symbols(other)}")
        do = "to train on, " + ", and ".join(parts)
    return PortChange(
        "epsilon in the running variance", _shown(a), _shown(b), do, "training", needed, _evidence(one, other, name)
    )


def _symbols(side: Convention) -> str:
    symbols: dict[str, str] = {
        EpsilonInRunning.ADDED: "S / (n - c) + e",
        EpsilonInRunning.BEFORE: "(S + n e) / (n - c)",
        EpsilonInRunning.BOTH: "(S + n e) / (n - c) with e in c",
    }
    return symbols.get(side.epsilon_kept, "S / (n - c)")


def _momentum(
    one: Convention, other: Convention, m: Fraction | None, weight: Fraction | None, argument: Fraction | None
) -> PortChange:
    def side(convention: Convention, number: Fraction | None, w: Fraction | None) -> str:
        multiplies = convention["momentum.multiplies"]
        phrase = _shown(convention["momentum.default"] if number is None else float(number))
        if phrase != "not measured":
            phrase += " (of what: not measured)" if multiplies is None else f" of the {multiplies}"
        return phrase + (f": new batch {float(w):g}" if w is not None else "")

    theirs = other.momentum
    needed = _differ(argument, theirs)
    do = "not measured: read both, and give the new batch the same weight"
    if argument is not None and weight is not None and m is not None:
        do = f"give the target momentum {float(argument):g}" + (" (its default)" if not needed else "")
        handed = weight_of(m, other["momentum.multiplies"])
        if handed != weight:
            do += f"; {float(m):g} handed over as it is would give the new batch {float(handed):g}"
    elif other["momentum.multiplies"] == "no argument":
        do = "the target has no such argument"
    return PortChange(
        "momentum",
        side(one, m, weight),
        side(other, theirs, other.weight()) + " by default",
        do,
        "training",
        needed,
        _evidence(one, other, "momentum.multiplies", "momentum.default"),
    )


def _initial(one: Convention, other: Convention, which: str) -> PortChange:
    name = f"initial.{which}"
    title = {"mean": "initial running mean", "var": "initial running variance"}[which]
    return _plain(title, name, one, other, "training", f"fill a fresh target with {_shown(one[name])}")


def _law(convention: Convention) -> str | None:
    law = "other" if convention["evaluation"] == "other" else convention["running.update"]
    return "of a law of their own" if law == "other" else None if law is None else str(law)


def _law_notes(one: Convention, other: Convention, weight: Fraction | None) -> list[str]:
    a, b = (_law(side) for side in (one, other))
    if a is None or b is None:
        return []
    if a == b:
        same: dict[str, str] = {
            RunningLaw.PLAIN: "Both keep a plain average: carry the number of batches too, it is the next weight.",
            RunningLaw.WEIGHTED: "In both the weight depends on the batch size: keep it the same.",
        }
        return [same[a]] if a in same else []
    if a in TENDING and b in TENDING:
        fades = "" if weight is None else f": (1 - {float(weight):g})^k of the start is left in an exponential one"
        phrase = (
            f"{one.framework}'s running statistics are {a}, {other.framework}'s {b}: from the first batch on they "
            f"differ, and after k steps they agree but for what is left of the first{fades}. A carried state is not a "
            "fresh one: the snippet marks it as one that has seen many batches, where the framework counts them."
        )
    else:
        phrase = (
            f"{one.framework}'s running statistics are {a}, {other.framework}'s {b}: no momentum makes them agree, "
            "since the weight of a new batch is a constant in one and not in the other. The carried state serves "
            "inference; training on goes its own way."
        )
    return [phrase]


def _one_value_notes(one: Convention, other: Convention, counts: Sequence[int]) -> list[str]:
    if 1 not in counts:
        return []
    phrase = [
        f"{side.framework}'s output is {_shown(side['one_value.output'])} and its running variance "
        f"{_shown(side['one_value.running'])}"
        for side in (one, other)
    ]
    return [f"With one value a channel S = 0 and there is no variance to train on: {'; '.join(phrase)}."]


def _evaluation_notes(one: Convention, other: Convention) -> list[str]:
    return [
        f"{side.framework} evaluates with {side['evaluation']}: the formulas here, which divide by the running "
        "statistics and epsilon, do not hold for its outputs."
        for side in (one, other)
        if side["evaluation"] not in (None, "running statistics")
    ]
