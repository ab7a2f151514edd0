"""The running statistics: law, weights, correction, what is kept, and what moves it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..findings.properties import EpsilonInRunning, RunningLaw, RunningSpread, properties_of
from ..probes import questions
from .finding import UNIT, Finding, Interval, listed, measured, not_applicable, short, undetermined
from .new_weight import AVERAGES, averaging, momentum
from .normalising import SPREADS
from .reading import Run, Statistics, Variant, problem_of
from .running_laws import UPDATES, Kept, Law, Series, by_size, laws, series
from .training_statistics import Normal

__all__ = ["running"]

PARTS = ("running", "momentum", "initial")
NAMES = (*(one.id for one in properties_of("batch") if one.id.startswith(PARTS)), "correction.running",
         "epsilon.in_running")  # fmt: skip


def running(variant: Variant, normal: Normal) -> Kept:
    """Everything about the running statistics of a batch normalisation."""
    kept = Kept()
    if not variant.keeps:
        made = variant.run("steps")
        problem = variant.problem("steps")
        if problem and (made is None or made.table("train") is None):
            kept.add(*(problem.finding(name) for name in NAMES))
            return kept
        why = "no running statistics are kept"
        none = {"running.update", "running.keeps", "correction.running"}
        kept.add(*(measured(n, RunningLaw.NONE, why) if n in none else not_applicable(n, why) for n in NAMES))
        return kept
    kept.add(*_initial(variant), _when(variant), stepwise := _stepwise(variant))
    steps = series(variant, "steps")
    if isinstance(steps, Finding):
        later = [n for n in NAMES if n not in {one.name for one in kept.findings}]
        kept.add(*(Finding(n, None, steps.status, steps.detail) for n in later))
        return kept
    sizes = series(variant, "sizes")
    kept.add(*_law(variant, kept, steps, None if isinstance(sizes, Finding) else sizes))
    kept.add(*_spread(variant, kept, steps, None if isinstance(sizes, Finding) else sizes))
    kept.add(*momentum(variant, kept, variant.run("steps")), _epsilon(variant, kept, normal))
    if stepwise.known and kept.keeps not in (None, RunningSpread.VARIANCE):
        kept.add(measured(stepwise.name, stepwise.value, f"of the running {kept.keeps}: {stepwise.detail}"))
    return kept


def _stepwise(variant: Variant) -> Finding:
    """What is kept of the one channel that no batch of the five disturbs."""
    name = "running.steps"
    run = variant.run("steps")
    after = [one for one in run.after() if one is not None] if run else []
    if len(after) < questions.STEPS:
        return variant.unanswered("steps", name)
    values = [float(one["var"][-1]) for one in after if one["var"].size == questions.STEPS + 1]
    if len(values) < questions.STEPS or not np.isfinite(values).all():
        return undetermined(name, "the running variance is not one finite number a channel")
    row = variant.batches("steps")[0][-1]
    exact = f"mean {row.mean():g} and variance {row.var():g} (divisor n, n = {row.size})"  # small integers: exact
    scaled = ", undivided by the scale that is kept with it" if "scale" in after[0] else ""
    return measured(name, [_plain(value) for value in values], f"of a channel whose batches all have {exact}{scaled}")


def _plain(value: float) -> float:
    """The shortest decimal that reads back the same in float32, if it is such a number."""
    narrow = np.float32(value)
    return float(str(narrow)) if float(narrow) == value else value


def _initial(variant: Variant) -> list[Finding]:
    first = next(
        (
            run.initial
            for question in variant.answers
            for run in variant.runs(question)
            if run.initial is not None and run.arguments.get("dtype", "float32") == "float32"
        ),
        None,
    )
    found = []
    run = variant.run("steps")
    problem = problem_of(run.event("train")) if run else None
    for name, key in (("initial.mean", "mean"), ("initial.var", "var")):
        if first is None and problem is not None and problem.unsupported:  # there is no first batch
            found.append(problem.finding(name))
        elif first is None:
            found.append(undetermined(name, "the running statistics cannot be read before the first batch"))
        elif first[key].size and (first[key] == first[key][0]).all():
            found.append(measured(name, float(first[key][0]), "of every channel"))
        else:
            found.append(undetermined(name, "the channels begin with different values"))
    return found


def _same(a: Statistics | None, b: Statistics | None) -> bool:
    if a is None or b is None:
        return a is b
    return all(np.array_equal(a[key], b[key], equal_nan=True) for key in ("mean", "var"))


def _when(variant: Variant) -> Finding:
    """Forward, forward (with the separate call after the first), backward: which one moves the statistics?"""
    name = "running.when"
    run = variant.run("order")
    if run is None or not run.event("train"):
        problem = variant.problem("order")
        return problem.finding(name) if problem else undetermined(name, "it was not asked")
    if (problem := problem_of(run.event("train"))) is not None:
        return problem.finding(name)
    states = [run.initial, *(_state(event) for event in run.events)]
    calls = [str(event["do"]) for event in run.events]
    if any(state is None for state in states[1:]):
        return undetermined(name, "the running statistics cannot be read after every call")
    if states[0] is None:
        if states[1] is not None and _shows_first(states[1]):
            return measured(name, "forward", "the first training pass makes them, and its batch is in them")
        return undetermined(name, "the running statistics cannot be read before the first batch")
    moved = [not _same(a, b) for a, b in pairwise(states)]
    if moved[0]:
        return measured(name, "forward", "the training pass moves them")
    if "update" in calls and moved[calls.index("update")]:
        return measured(name, "separate call", "a call after the training pass moves them")
    forward = [m for m, call in zip(moved, calls, strict=True) if call == "train"]
    if len(forward) > 1 and forward[1]:
        return measured(name, "next forward", "the first training pass leaves them, the next one moves them")
    last = run.event("backward")
    if last and moved[-1]:
        return measured(name, "backward", "two training passes leave them, the backward pass moves them")
    if last and "error" in last and "unsupported" not in last:
        return undetermined(name, f"forward passes leave them, and backward fails: {last['error']}")
    return measured(
        name, "never", "no call moves them" + (f" ({last['unsupported']})" if "unsupported" in last else "")
    )


def _shows_first(state: Statistics) -> bool:
    """Whether the first batch's impulse is in the running mean."""
    mean = state["mean"]
    return mean.size > 1 and bool(abs(mean[0] - mean[-1]) > 1e-4 * (questions.IMPULSE_MEAN - questions.BASE_MEAN))


def _state(event: object) -> Statistics | None:
    return Run({"running": event.get("running")}).initial if isinstance(event, dict) else None


def _law(variant: Variant, kept: Kept, steps: Series, sizes: Series | None) -> list[Finding]:
    update, weight = "running.update", "running.weight"
    if np.abs(steps.weights).max() <= steps.error:
        why = "the running statistics never move"
        return [not_applicable(update, why), not_applicable(weight, why)]
    new = [short(Interval.about(float(w), steps.error)) for w in np.diag(steps.weights)]
    each_weight = measured(weight, [value for value, _ in new], f"each within {steps.error:.1g}")
    kept.first_weight = None if steps.delayed else float(steps.weights[0, 0])
    fitting = laws(steps.weights, steps.error)
    if len(fitting) > 1:
        return [undetermined(update, listed(law.name for law in fitting)), each_weight]
    name = fitting[0].name if fitting else RunningLaw.OTHER
    detail = fitting[0].detail if fitting else "the weights of five batches fit no known law"
    if fitting and sizes is not None and not any(law.name == name for law in _sized(fitting[0], sizes)):
        words = by_size(sizes.weights, questions.SIZES, sizes.error)
        name, detail = (
            (RunningLaw.WEIGHTED, words) if words else (RunningLaw.OTHER, f"{name}, but not for batches of any size")
        )
    elif fitting and sizes is None:
        if name == RunningLaw.PLAIN:
            return [undetermined(update, "plain average or batch-size weighted: batches of one size only"), each_weight]
        detail = "; ".join(part for part in (detail, "seen with batches of one size only") if part)
    if name == RunningLaw.DEBIASED:
        detail = "a decaying sum of the batches' divided by the sum of its weights"
    if fitting:
        kept.law = Law(name, fitting[0].parameter, detail)
        total = float(steps.weights[0, 0])
        kept.initial_share = 1 - total if name in (RunningLaw.EXPONENTIAL, RunningLaw.WEIGHTED) else 0.0
        if fitting[0].detail:  # the initial statistics count
            kept.initial_share = 1 - total
        if name in AVERAGES and fitting[0].parameter is None:
            return [_average(update, name, detail, variant), each_weight]
    return [measured(update, name, detail), each_weight]


def _average(update: str, name: str, detail: str, variant: Variant) -> Finding:
    """An average of five batches, if it is known to stay one."""
    found = averaging(variant)
    if found.stays:
        return measured(update, name, "; ".join(part for part in (detail, found.detail) if part))
    if found.stays is False:
        return measured(update, RunningLaw.OTHER, found.detail)
    return undetermined(update, f"{name}, or that until a momentum is the larger weight: {found.detail}")


def _sized(law: Law, sizes: Series) -> list[Law]:
    """The law again, if it fits batches of different sizes with the parameter that it has for equal ones."""
    found = laws(sizes.weights, sizes.error, law.name)
    if law.parameter is None:
        return found
    return [one for one in found if one.parameter is not None and not (one.parameter & law.parameter).empty]


def _epsilon_shares(eps: float, n: int) -> list[tuple[str, str, float]]:
    """(the finding, in a formula, how much) that epsilon may add to the variance of n equal values."""
    return [
        (EpsilonInRunning.ADDED, "epsilon", eps),
        (EpsilonInRunning.BEFORE, "epsilon n / (n - 1)", eps * n / (n - 1)),
        (EpsilonInRunning.BOTH, "epsilon n / (n - 1 - epsilon)", eps * n / (n - 1 - eps)),
        (EpsilonInRunning.BOTH, "epsilon n / (n - epsilon)", eps * n / (n - eps)),
    ]


def _epsilon(variant: Variant, kept: Kept, normal: Normal) -> Finding:
    """How epsilon enters the running variance: that of a constant channel, after one step."""
    name = "epsilon.in_running"
    weight, share = kept.first_weight, kept.initial_share
    if kept.keeps != RunningSpread.VARIANCE or not weight or share is None:
        return undetermined(name, "the law of the running variance is not known")
    for question, rule, given in (("epsilon", normal.argument, questions.EPSILON), ("scales", normal.default, None)):
        run = variant.run(question)
        after = (run.after() if run else []) or [None]
        if run is None or after[0] is None:
            continue
        initial = run.initial or {"var": np.zeros_like(after[0]["var"])}
        if initial["var"].size != after[0]["var"].size or (run.initial is None and abs(share) > 1e-6):
            continue
        eps = given if given is not None else rule.epsilon.middle if rule is not None else 0.0
        table = variant.batches(question)[0]
        constant = int(np.argmin(np.ptp(table, axis=1)))
        if after[0]["var"].size != len(table) or eps <= 0:
            continue
        held = share * float(initial["var"][constant])
        extra = (float(after[0]["var"][constant]) - held) / weight
        error = UNIT * (2 + UPDATES * max(abs(held), abs(float(after[0]["var"][constant])))) / weight
        if error > eps / 8:
            continue
        if abs(extra) <= error + 1e-5 * eps:
            return measured(name, "no", f"a constant channel adds {extra:.2g}, epsilon is {eps:.3g}")
        fitting = [
            (value, formula)
            for value, formula, adds in _epsilon_shares(eps, table.shape[1])
            if abs(extra - adds) <= error + 1e-4 * eps
        ]
        if not fitting:
            return undetermined(name, f"a constant channel adds {extra:.4g}, neither 0 nor epsilon, {eps:.3g}")
        formulas = listed(formula for _, formula in fitting)
        detail = f"a constant channel adds {extra:.4g} = {formulas}, epsilon is {eps:.3g}"
        values = {value for value, _ in fitting}
        return measured(name, values.pop(), detail) if len(values) == 1 else undetermined(name, detail)
    return undetermined(name, "no epsilon is large enough to show in the running variance")


def _spread(variant: Variant, kept: Kept, steps: Series, sizes: Series | None) -> list[Finding]:
    """What is kept of the spread, with which correction: from impulses of known variance, in units of the mean's."""
    keeps, correction = "running.keeps", "correction.running"
    tables = variant.batches("steps")
    count = tables[0].shape[1]
    candidates = _kept_as(steps, [count] * len(tables))
    if sizes is not None:
        counts = [table.shape[1] for table in variant.batches("sizes")]
        again = _kept_as(sizes, counts)
        candidates = [one for one in candidates if any(one[0] == two[0] and _near(one[1], two[1]) for two in again)]
    if not candidates:
        why = "the running variance does not follow the batches' variances with the weights of the running mean"
        return [undetermined(keeps, why), undetermined(correction, why)]
    kinds = sorted({one[0] for one in candidates})
    if len(kinds) > 1:
        return [undetermined(keeps, listed(kinds)), undetermined(correction, listed(kinds))]
    kept.keeps = kinds[0]
    found = measured(
        keeps, kinds[0], "" if kinds[0] == RunningSpread.VARIANCE else f"the running variance is a running {kinds[0]}"
    )
    if len(candidates) > 1:
        said = listed(f"{c.middle:g}" for _, c in candidates)
        return [found, undetermined(correction, f"{said}: n is too large to tell")]
    interval = candidates[0][1]
    value, _ = short(interval)
    if value in (0, 1):
        kept.correction = value
        return [found, measured(correction, int(value), f"divisor {'n' if value == 0 else 'n - 1'}, n = {count}")]
    kept.correction = interval.middle
    return [found, measured(correction, value, f"divisor n - {value:g} at n = {count}, neither n nor n - 1")]


def _near(a: Interval, b: Interval) -> bool:
    return not (a & b).empty


def _kept_as(series: Series, counts: list[int]) -> list[tuple[str, Interval]]:
    """(what is kept, correction) that explain the running variance; 0 and 1 before any other correction."""
    rows = np.array([one["var"] for one in series.after])
    steps = len(series.weights)
    if rows.shape[1] <= steps or not np.isfinite(rows).all():
        return []
    moved = rows[:, :steps] - rows[:, -1:]
    rounding = UNIT * UPDATES * (steps + 1) * np.abs(rows).max()
    base, impulse = questions.BASE_SCALE, questions.IMPULSE_SCALE
    moments = [float((questions.pattern(n) ** 2).sum()) for n in counts[:steps]]
    found: list[tuple[str, Interval]] = []
    strong = np.abs(series.weights) > 100 * series.error
    for name, power in zip(SPREADS, (2.0, 1.0, -1.0), strict=True):
        step = impulse**power - base**power
        corrections = Interval(-np.inf, np.inf)
        for t, j in zip(*np.nonzero(strong), strict=True):
            # moved = weight * step * (moment / (n - c)) ** (power / 2)
            weight = series.weights[t, j] * step
            error = abs(rounding / weight) + abs(moved[t, j] / weight) * (series.error / abs(series.weights[t, j]))
            size = Interval.about(moved[t, j] / weight, error + 1e-6 * abs(moved[t, j] / weight))
            if size.low <= 0:
                corrections = Interval(1.0, 0.0)
                break
            ends = sorted(counts[j] - moments[j] * end ** (-2 / power) for end in (size.low, size.high))
            corrections = corrections & Interval(*ends)
        if corrections.empty or not np.isfinite(corrections.half):
            continue
        whole = [c for c in (0.0, 1.0) if c in corrections]
        # another correction only of a variance, and only one that leaves a divisor and is known well
        if whole:
            found += [(name, Interval(c, c)) for c in whole]
        elif (
            name == RunningSpread.VARIANCE
            and corrections.low > -1
            and corrections.high < min(counts)
            and corrections.half < 0.01
        ):
            found.append((name, corrections))
    return found
