"""Whose statistics normalise in training: by a fresh layer's pass, and by each of five steps.

A fresh layer alone does not tell: running statistics that adopt the first batch are that batch's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..probes import questions
from .finding import Finding, measured, undetermined
from .following import SPREADS, as_batch, as_running
from .normalising import Line, Rule, line
from .reading import Run, Statistics, Table, Variant

__all__ = ["whose"]

NAME = "training.statistics"
BATCH, BEFORE, AFTER = "batch", "before", "after"
OFF = "off every line"  # outputs that no statistics give


def whose(
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
        return measured(NAME, "other", f"the batch's, but {why}"), True
    steps = _steps(variant, rule) if first.known and first.value != "other" else []
    shown = first.value != "running"
    if not steps:
        return first, shown
    if all(BATCH in one for one in steps) and first.value == BATCH:
        return measured(NAME, BATCH, f"{first.detail}, at each of {len(steps)} steps"), shown
    began = {when: _since(steps, when) for when in (BEFORE, AFTER)}
    when = min(began, key=lambda one: began[one])
    since = began[when]
    if since < len(steps) and all(BATCH in one for one in steps[:since]):
        deciding = next((t for t, one in enumerate(steps) if BATCH not in one), len(steps) - 1)
        words = f"the running statistics as they are {when} the step"
        if since == 0:
            return measured(NAME, "running", f"{words}, told from step {deciding + 1} on"), shown and deciding > 0
        return measured(NAME, "running", f"{words}, from step {since + 1} on; the batch's own until then"), shown
    odd = next((t for t, one in enumerate(steps) if one <= {OFF}), 0)
    described = (
        f"{first.value} with a fresh layer, and from step {odd + 1} on neither the batch's statistics nor the running"
    )
    if any(OFF in one for one in steps):
        return undetermined(NAME, f"{described} ones; not all outputs lie on a line"), shown
    return measured(NAME, "other", f"{described} ones"), shown


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
        explained = {BATCH} if as_batch(table, y, True, rule) else set()
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
        return measured(NAME, BATCH, "each group's own mean and variance")
    states = ((run.initial, BEFORE), ((run.after() or [None])[0], AFTER))
    for statistics, when in states:
        if _running(table, y, statistics):
            return measured(NAME, "running", f"the running statistics as they are {when} the step")
    if not usable:
        return undetermined(NAME, "no group's outputs lie on a line")
    if any(found is None for row, found in zip(table, lines, strict=True) if np.ptp(row) > 0) or means:
        return undetermined(NAME, "the outputs follow neither the batch's statistics nor the running ones")
    if all(statistics is None for statistics, _ in states):
        return undetermined(NAME, "not the batch's mean is subtracted, and no running one can be read")
    return measured(NAME, "other", "neither the batch's mean nor the running one is subtracted")
