"""Impulses in the running statistics: the weights that they show, and what is known from them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..probes import questions
from .finding import UNIT, Finding, undetermined
from .reading import Statistics, Table, Variant
from .running_laws import Law, weights_of

__all__ = ["UPDATES", "Kept", "Series", "series"]

UPDATES = 4.0  # units of roundoff that one update leaves at most, relative to the largest number in it


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
