"""The momentum argument: what it multiplies, and its default; and whether it ends an average of the batches.

Five batches that weigh alike are no plain average yet: the new batch's weight may be the larger of the average's and
a momentum's, which is smaller than 1/5 by default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..findings.properties import FindingStatus, MomentumSide, RunningLaw, is_number
from ..probes import questions
from .finding import UNIT, Finding, Interval, measured, not_applicable, short, undetermined
from .reading import Run, Table, Variant
from .running_laws import UPDATES, Kept, Series, laws, series

__all__ = ["AVERAGES", "Averaging", "averaging", "momentum"]

AVERAGES = (RunningLaw.PLAIN, RunningLaw.WEIGHTED)  # where the law has no parameter
_SIDES: dict[str, Callable[[float], float]] = {MomentumSide.NEW: lambda a: a, MomentumSide.OLD: lambda a: 1 - a}


@dataclass(frozen=True)
class Averaging:
    """What becomes of an average of five batches in the long run, and what the argument does to it.

    stays : whether it is one; None where that is not told. argument : a `MomentumSide`: NONE where there is none or
    none changes anything, NEW or OLD whose weight is the larger of the average's and the argument's; "another law"; ""
    where that is not told. detail : of what was found.
    """

    stays: bool | None
    argument: str
    detail: str


def averaging(variant: Variant) -> Averaging:
    """By the arguments 0.1, 0.25 and 0.9, of which one at least shows in two steps, and by many default steps."""
    steps = series(variant, "steps")
    found = [] if isinstance(steps, Finding) else laws(steps.weights, steps.error, RunningLaw.PLAIN)
    if isinstance(steps, Finding) or not found:
        return Averaging(None, "", "the weights of five batches are no average's")
    begins = 2 if found[0].detail else 1  # the initial statistics count as a batch, or not
    stays, long = _in_the_long_run(variant, steps, begins)
    asked = {argument: series(variant, question) for question, argument in questions.MOMENTA.items()}
    first = asked[questions.MOMENTUM]
    if _absent(variant, first):
        return Averaging(stays, MomentumSide.NONE, long)
    seen = {argument: one for argument, one in asked.items() if not isinstance(one, Finding)}
    if len(seen) < len(asked):
        missing = ", ".join(f"{argument:g}" for argument in sorted(set(asked) - set(seen)))
        return Averaging(stays and None, "", f"{long}; what the argument {missing} does was not observed")
    if all(_larger(one, 0.0, begins) for one in seen.values()):
        values = ", ".join(f"{argument:g}" for argument in sorted(seen))
        return Averaging(stays, MomentumSide.NONE, f"the arguments {values} change nothing; {long}")
    sides = [side for side, of in _SIDES.items() if all(_larger(one, of(a), begins) for a, one in seen.items())]
    if len(sides) == 1:
        own = "the argument" if sides[0] == MomentumSide.NEW else "1 - the argument"
        said = f"the new batch's weight is the larger of the average's and {own}"
        return Averaging(stays and None, sides[0], f"{said}; {long}")
    return Averaging(stays, "another law", long)


def _absent(variant: Variant, found: Series | Finding) -> bool:
    """Whether there is no momentum argument, which an answer says and a question that was not asked does not."""
    return isinstance(found, Finding) and found.status == FindingStatus.NOT_APPLICABLE and "momentum" in variant.answers


def _larger(found: Series, share: float, begins: int) -> bool:
    """Whether each new batch has the larger of the average's weight and `share`."""
    predicted: Table = np.zeros_like(found.weights)
    for t in range(len(predicted)):
        new = max(share, 1 / (t + begins))
        predicted[t] = (predicted[t - 1] if t else 0.0) * (1 - new)
        predicted[t, t] = new
    return bool(np.abs(found.weights - predicted).max() <= len(predicted) * found.error)


def _in_the_long_run(variant: Variant, steps: Series, begins: int) -> tuple[bool | None, str]:
    """Whether the first of many batches has an average's weight in the end; in words, too."""
    run = variant.run("long")
    last = (run.after() or [None])[-1] if run and run.problem is None else None
    if last is None or last["mean"].size != 2 or not np.isfinite(last["mean"]).all():
        return None, "an average of five batches, what becomes of it later was not observed"
    count = questions.LONG - steps.delayed
    away = questions.IMPULSE_MEAN - questions.BASE_MEAN
    weight = float(last["mean"][0] - last["mean"][1]) / away
    error = UNIT * UPDATES * count * float(np.abs(last["mean"]).max()) / away
    share = 1 / (count + begins - 1)
    if abs(weight - share) <= error:
        return True, f"an average still after {count} batches"
    return False, f"an average at first; after {count} batches the first has the weight {weight:.2g}, not {share:.2g}"


def momentum(variant: Variant, kept: Kept, run: Run | None) -> list[Finding]:
    """Which of old and new the argument multiplies, from two steps with the argument 0.25; and its default."""
    multiplies, default = "momentum.multiplies", "momentum.default"
    found_series = series(variant, "momentum")
    if isinstance(found_series, Finding):
        if _absent(variant, found_series):
            none = measured(multiplies, MomentumSide.NONE, found_series.detail)
            return [none, not_applicable(default, "there is no momentum argument")]
        return [
            Finding(multiplies, None, found_series.status, found_series.detail)
            if found_series.status != FindingStatus.NOT_APPLICABLE
            else undetermined(multiplies, found_series.detail),
            undetermined(default, found_series.detail),
        ]
    if kept.law is None:
        return _neither("the law of the update is not known")
    name = kept.law.name
    if name in AVERAGES and kept.law.parameter is None:
        return _of_an_average(name, averaging(variant))
    found = laws(
        found_series.weights, found_series.error, RunningLaw.EXPONENTIAL if name == RunningLaw.WEIGHTED else name
    )
    value = found[0].parameter if found else None
    if value is None or kept.law.parameter is None:
        return _neither(f"two steps with the argument {questions.MOMENTUM} do not fit the law {name}")
    fresh = name not in (RunningLaw.DEBIASED, RunningLaw.ACCUMULATED)  # the parameter is the new batch's weight
    mine, other = (MomentumSide.NEW, MomentumSide.OLD) if fresh else (MomentumSide.OLD, MomentumSide.NEW)
    left = Interval(1 - value.high, 1 - value.low)
    which = other if questions.MOMENTUM in left else mine if questions.MOMENTUM in value else None
    if which is None:
        neither = f"neither {questions.MOMENTUM} nor {1 - questions.MOMENTUM}"
        return _neither(f"with the argument {questions.MOMENTUM} the law's parameter is {value.middle:.6g}, {neither}")
    own = kept.law.parameter
    own = own if which == mine else Interval(1 - own.high, 1 - own.low)
    number, unique = short(own)
    said = measured(
        multiplies, which, f"with the argument {questions.MOMENTUM}: the law's parameter {value.middle:.6g}"
    )
    return [said, measured(default, number, _signature(run, own) or ("" if unique else str(own)))]


def _neither(why: str) -> list[Finding]:
    return [undetermined("momentum.multiplies", why), undetermined("momentum.default", why)]


def _of_an_average(name: str, found: Averaging) -> list[Finding]:
    """The findings where five batches weigh alike, or by their sizes."""
    multiplies, default = "momentum.multiplies", "momentum.default"
    if found.argument in _SIDES:
        below = "one so small that five batches do not show it"
        return [measured(multiplies, found.argument, found.detail), undetermined(default, below)]
    if found.argument == MomentumSide.NONE and found.stays:
        return [measured(multiplies, MomentumSide.NONE, f"{name}: {found.detail}"),
                not_applicable(default, "the law has no parameter")]  # fmt: skip
    return _neither(f"{name}, and with an argument another law" if found.argument == "another law" else found.detail)


def _signature(run: Run | None, own: Interval) -> str:
    given = run.signature if run else {}
    for name, default in given.items():
        if is_number(default) and default in own:
            return f"the signature has {name}={default!r}"
    return ""
