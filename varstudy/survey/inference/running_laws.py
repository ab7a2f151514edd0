"""Laws by which running statistics follow the batches', told by the weight that each batch has after each step.

weights[t, j] is the weight of batch j in what is kept after step t (both from 0), as impulses show it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..findings.properties import RunningLaw
from ..probes import questions
from .finding import UNIT, Finding, Interval, undetermined
from .reading import Statistics, Table, Variant

__all__ = ["LAWS", "UPDATES", "Kept", "Law", "Series", "by_size", "laws", "series"]

UPDATES = 4.0  # units of roundoff that one update leaves at most, relative to the largest number in it


@dataclass(frozen=True)
class Law:
    """A law that fits. `parameter` is the weight of the new batch, or the decay of a debiased or accumulated sum."""

    name: str
    parameter: Interval | None = None
    detail: str = ""


def _exponential(steps: int, w: float) -> Table:
    t, j = np.indices((steps, steps))
    return np.where(j <= t, w * (1 - w) ** np.maximum(t - j, 0.0), 0.0)


def _adopted(steps: int, w: float) -> Table:
    found = _exponential(steps, w)
    found[:, 0] = (1 - w) ** np.arange(steps)
    return found


def _accumulated(steps: int, d: float) -> Table:
    t, j = np.indices((steps, steps))
    return np.where(j <= t, float(d) ** np.maximum(t - j, 0.0), 0.0)


def _debiased(steps: int, d: float) -> Table:
    found = _accumulated(steps, d)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


# name -> (weights, the parameter from the weights). A law whose parameter is degenerate is another law.
LAWS: dict[str, tuple[Callable[[int, float], Table], Callable[[Table], float], tuple[float, ...]]] = {
    RunningLaw.EXPONENTIAL: (_exponential, lambda w: float(w[0, 0]), ()),
    RunningLaw.ADOPTED: (_adopted, lambda w: float(w[1, 1]), (1.0,)),
    RunningLaw.DEBIASED: (_debiased, lambda w: float(w[1, 0] / w[1, 1]), (0.0, 1.0)),
    RunningLaw.ACCUMULATED: (_accumulated, lambda w: float(w[1, 0]), (0.0,)),
}


def weights_of(kept: Sequence[Table], base: float, impulse: float) -> Table:
    """The weights, from what is kept of channels of which the j-th has an impulse in batch j alone, the last none."""
    rows = np.array(kept)
    return np.asarray((rows[:, :-1] - rows[:, -1:]) / (impulse - base))


def laws(weights: Table, error: float, only: str | None = None) -> list[Law]:
    """Every law that fits weights (two steps or more) known within `error`."""
    steps = len(weights)
    found: list[Law] = []
    if steps < 2:
        return found
    if only in (None, RunningLaw.PLAIN):
        t, j = np.indices((steps, steps))
        for shift, detail in ((1, ""), (2, "the initial statistics count as one batch")):
            if np.abs(weights - (j <= t) / (t + shift)).max() <= error:
                found.append(Law(RunningLaw.PLAIN, None, detail))
    for name, (predicted, parameter, degenerate) in LAWS.items():
        if only not in (None, name):
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            value = parameter(weights)
        if not -1e-6 <= value <= 1 + 1e-6:
            continue
        # the parameter is known within `error` (a quotient of weights within more), and each weight moves at most
        # `steps` as far
        own = error * ((1 + value) / min(1.0, abs(weights[1, 1])) if name == RunningLaw.DEBIASED else 1.0)
        if any(abs(value - one) <= 4 * own for one in degenerate):
            continue
        fit = predicted(steps, value)
        slack = _cancelling(steps, value) * fit if name == RunningLaw.DEBIASED else 0.0
        if (np.abs(weights - fit) <= error + steps * own + slack).all():
            found.append(Law(name, Interval.about(value, own)))
    return found


def _cancelling(steps: int, d: float) -> Table:
    """The relative error of each row that is divided by 1 - d^t in float32: d^t is rounded, and 1 takes it away."""
    t = np.arange(1.0, steps + 1)
    return np.asarray((UNIT * (t + 1) / (1 - d**t))[:, None])


def by_size(weights: Table, sizes: Sequence[int], error: float) -> str | None:
    """How the weights depend on the batches' sizes, in words; None if they don't fit either law that may.

    Parameters
    ----------
    weights : for batches of different sizes. sizes : theirs.
    """
    n = np.array(sizes, dtype=np.float64)
    t, j = np.indices(weights.shape)
    if np.abs(weights - np.where(j <= t, n[j] / np.cumsum(n)[t], 0.0)).max() <= error:
        return "each batch has the share of its size among all so far"
    new = np.diag(weights)
    predicted = np.zeros_like(weights)
    for step, w in enumerate(new):
        predicted[step] = (predicted[step - 1] if step else 0.0) * (1 - w)
        predicted[step, step] = w
    if np.abs(weights - predicted).max() <= len(n) * error and np.ptp(new) > 4 * error:
        said = ", ".join(f"{w:.4g} for {size}" for w, size in zip(new, sizes, strict=True))
        return f"the new batch's weight depends on its size: {said}"
    return None


@dataclass
class Kept:
    """What is known of the running statistics, for those who build on it."""

    law: Law | None = None
    first_weight: float | None = None  # of the first batch in the running mean
    initial_share: float | None = None  # the initial statistics' weight after the first step
    keeps: str | None = None
    correction: float | None = None
    findings: list[Finding] = field(default_factory=list)

    def add(self, *found: Finding) -> None:
        self.findings += found


@dataclass(frozen=True)
class Series:
    """Weights of impulses, from one question."""

    initial: Statistics
    after: list[Statistics]
    weights: Table
    error: float
    delayed: bool = False


def series(variant: Variant, question: str) -> Series | Finding:
    """The weights of impulses in the running mean; or why there are none."""
    run = variant.run(question)
    problem = variant.problem(question)
    steps = len(questions.SIZES) if question == "sizes" else len(variant.batches(question)) - 1
    after = run.after() if run else []
    if run is None or len(after) < steps or any(one is None for one in after):
        return problem.finding("") if problem else undetermined("", "the running statistics cannot be read")
    states = [one for one in after if one is not None]
    initial = run.initial or {"mean": np.zeros(1), "var": np.zeros(1)}
    if any(one["mean"].size != steps + 1 or not np.isfinite(one["mean"]).all() for one in states):
        return undetermined("", "the running mean is not one finite number a channel")
    weights = weights_of([one["mean"] for one in states], questions.BASE_MEAN, questions.IMPULSE_MEAN)
    largest = max(float(np.abs(one["mean"]).max()) for one in states)
    # one rounding of a factor such as 0.999 in float32 moves a weight by a unit, too
    error = UNIT * (2 + UPDATES * steps * largest / (questions.IMPULSE_MEAN - questions.BASE_MEAN))
    delayed = bool(np.abs(np.diag(weights)).max() <= error < np.abs(weights).max())  # moved by the next step's forward
    if delayed:
        weights, states = weights[1:, :-1], states[1:]
    return Series(initial, states, weights, error, delayed)
