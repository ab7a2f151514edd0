"""Inference against the formula: which statistics, and which epsilon."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..findings.properties import EpsilonPlace, Evaluation, RunningLaw
from ..probes import questions
from .finding import Finding, Interval, measured, short, undetermined
from .normalising import SPREADS, Rule, as_batch, as_running, line
from .reading import Run, Statistics, Table, Variant, decoded
from .running_laws import Kept
from .training_statistics import Normal

__all__ = ["epsilon_of_inference", "evaluation"]

NAME = "evaluation"
RUNNING, OTHER_EPSILON, BATCH, OTHER = Evaluation
# The question, its table, the outputs, the statistics in force, the rule of that epsilon.
Pass = tuple[str, Table, Table, Statistics | None, Rule | None]


def evaluation(variant: Variant, normal: Normal, kept: Kept | None) -> Finding:
    """Whose statistics and which epsilon inference uses, from every question that asked it to normalise."""
    seen = list(_evaluations(variant, normal))
    if not seen:
        problem = variant.problem("scales")
        run = variant.run("scales")
        if run and (event := run.event("evaluate")):
            problem = Run(event).problem
        return problem.finding(NAME) if problem else undetermined(NAME, "inference gave no output")
    own = [as_batch(table, y, variant.kind != "rms", rule) for _, table, y, _, rule in seen]
    known = kept.keeps if kept else None
    for spread in (known,) if known in SPREADS else SPREADS:
        verdicts = [_first(table, y, statistics, spread, rule) for _, table, y, statistics, rule in seen]
        if all(one is not None for one in verdicts):
            pairs = zip(seen, verdicts, strict=True)
            return _epsilons([(q, one, rule) for (q, *_, rule), one in pairs if one is not None], normal.bare)
    keeps = known if known in SPREADS else None
    divided = [_divided(one, keeps) for one in seen]
    if all(each is not None for each in divided):
        shares = {q: share for (q, *_), share in zip(seen, divided, strict=True) if share is not None}
        return measured(NAME, OTHER, f"the running mean and variance, each divided by {_debias(variant, shares, kept)}")
    if all(own):
        return measured(NAME, BATCH, "the outputs are those of training")
    if any(one is not None for one in verdicts) or any(own) or not all(np.isfinite(y).all() for _, _, y, *_ in seen):
        return undetermined(NAME, "one rule does not explain all the outputs of inference")
    if all(statistics is None for *_, statistics, _ in seen):
        return undetermined(NAME, "not the batch's statistics, and no running ones can be read")
    return measured(NAME, OTHER, "neither the running statistics nor the batch's with one epsilon give the outputs")


def _evaluations(variant: Variant, normal: Normal) -> Iterator[Pass]:
    """Every pass in inference mode."""
    for question, layer, index, rule in (
        ("set_running", 0, 0, normal.default),
        ("set_running", 1, 0, normal.argument),
        ("scales", 0, 0, normal.default),
        ("epsilon", 0, 0, normal.argument),
        ("steps", 0, -1, normal.default),
    ):
        run = variant.run(question, layer)
        y = run.table("evaluate") if run else None
        if run is None or y is None:
            continue
        table = variant.batches(question)[index]
        before = None
        for event in run.events:
            if event["do"] == "evaluate":
                break
            before = decoded(event.get("running")) or before
        if y.shape == table.shape:
            yield question, table, y, before, rule


def _first(
    table: Table, y: Table, statistics: Statistics | None, keeps: str | None, rule: Rule | None
) -> tuple[Interval, EpsilonPlace] | None:
    """The epsilon with which running statistics explain the outputs, and its place: training's, if that serves."""
    return next(iter(as_running(table, y, statistics, keeps, rule.place if rule else None)), None)


def epsilon_of_inference(variant: Variant) -> list[Finding]:
    """Epsilon's default and place where there is no training, from statistics of every magnitude that were put in."""
    default, place = "epsilon.default", "epsilon.place"
    seen = [one for one in _evaluations(variant, Normal()) if one[0] == "set_running"]
    if not seen:
        return []
    _, table, y, statistics, _ = seen[0]
    holding = as_running(table, y, statistics, None)
    if len(seen) > 1:  # under the argument
        asked = {at for interval, at in as_running(*seen[1][1:4], None) if questions.EPSILON in interval}
        holding = [one for one in holding if one[1] in asked] or holding
    if len(holding) == 1 and holding[0][0].low > 0:
        interval, at = holding[0]
        return [measured(default, short(interval)[0], f"{interval}, of inference"), measured(place, at, "of inference")]
    if holding and all(0.0 in interval for interval, _ in holding):
        below = max(interval.high for interval, _ in holding)
        if np.isnan(y[np.ptp(table, axis=1) == 0]).any():
            why = f"a constant group with the variance 0 gives NaN, and epsilon is at most {below:.2g}, in inference"
            return [measured(default, 0.0, why), measured(place, EpsilonPlace.NONE, "no epsilon by default")]
        why = f"none, or one of at most {below:.2g}, below what inference shows"
        known = measured(place, holding[0][1], "by the argument 0.25, in inference") if len(holding) == 1 else None
        return [undetermined(default, why), known or undetermined(place, why)]
    return []


def _divided(one: Pass, keeps: str | None) -> float | None:
    """The number that divides both running statistics, found by the means; None if there is no such number."""
    _, table, y, statistics, rule = one
    if statistics is None or statistics["mean"].size != len(table):
        return None
    shares = []
    for row, out, mean in zip(table, y, statistics["mean"], strict=True):
        found = line(row, out, slack=1e-3) if mean and np.ptp(row) > 0 else None
        if found is not None and found.mean:
            shares.append(float(mean / found.mean))
    share = float(np.median(shares)) if shares else 0.0
    if not 0 < share < np.inf:
        return None
    scaled = {**statistics, "mean": statistics["mean"] / share, "var": statistics["var"] / share}
    return share if _first(table, y, scaled, keeps, rule) else None


def _debias(variant: Variant, shares: dict[str, float], kept: Kept | None) -> str:
    """What divides both statistics, in words: 1 - d^k, with the decay d of their law, if that is what it is."""
    numbers = ", ".join(f"{share:.6g} in {question}" for question, share in shares.items())
    law = kept.law if kept else None
    if law is None or law.name != RunningLaw.EXPONENTIAL or law.parameter is None:
        return numbers
    decay = 1 - law.parameter.middle
    for question, share in shares.items():
        run = variant.run(question)
        steps = sum(state is not None for state in run.after()) if run else 0
        if not 0 < decay < 1 or abs(share / (1 - decay**steps if steps else 1) - 1) > 1e-3:
            return numbers
    formula = f"1 - {short(Interval.about(decay, law.parameter.half))[0]:g}^k after k steps, 1 before any ({numbers})"
    initial = next((run.initial for question in shares if (run := variant.run(question)) and run.initial), None)
    if initial is not None and (initial["var"] == initial["var"][0]).all() and initial["var"][0] != 0:
        return f"{formula}, though the running variance begins with {initial['var'][0]:g}, not 0"
    return formula


def _epsilons(found: list[tuple[str, tuple[Interval, EpsilonPlace], Rule | None]], bare: bool) -> Finding:
    """The running statistics serve: with the epsilon of training?"""
    different = [
        (question, interval, place, rule)
        for question, (interval, place), rule in found
        if rule is not None and ((interval & rule.epsilon).empty or (place != rule.place and interval.low > 0))
    ]
    if different:
        _, interval, place, rule = different[0]
        shown_epsilon = "none" if 0.0 in interval else f"{short(interval)[0]:g}, {place}"
        return measured(
            NAME, OTHER_EPSILON, f"epsilon {shown_epsilon}; training has {rule.epsilon.middle:.4g}, {rule.place}"
        )
    if all(rule is None for *_, rule in found):
        interval, place = found[0][1]
        if interval.low > 0 or interval.high < 1e-12:
            shown_epsilon = f"{short(interval)[0]:g}, {place}" if interval.low > 0 else f"at most {interval.high:.2g}"
            return measured(NAME, RUNNING, f"epsilon {shown_epsilon}; training shows none to compare")
    known = [question for question, (interval, _), rule in found if rule is not None and _same(interval, rule, bare)]
    if not known:
        return undetermined(NAME, "the running statistics serve, but they hide the epsilon")
    return measured(NAME, RUNNING, f"and training's epsilon, seen in: {', '.join(dict.fromkeys(known))}")


def _same(interval: Interval, rule: Rule, bare: bool) -> bool:
    """Whether the two agree and are known well enough for that to mean something."""
    if rule.epsilon.low <= 0:
        return bare and interval.low <= 0 and interval.high < 1e-6
    return interval.low > 0 and interval.half <= 0.25 * interval.middle
