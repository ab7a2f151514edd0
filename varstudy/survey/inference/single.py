"""One value a group: what training gives, and what becomes of the running variance."""

from __future__ import annotations

import numpy as np

from .finding import Finding, measured, undetermined
from .reading import Run, Variant, problem_of

__all__ = ["one_value"]


def one_value(variant: Variant) -> list[Finding]:
    """Findings on one value a group; the running variance is asked of a batch normalisation only."""
    output, running = "one_value.output", "one_value.running"
    run = variant.run("one_value")
    event = run.event("train") if run else {}
    if run is None or not event:
        names = (output, running) if variant.kind == "batch" else (output,)
        return [variant.unanswered("one_value", name) for name in names]
    found = [_output(variant, run)]
    if variant.kind == "batch":
        found.append(_running(variant))
    return found


def _output(variant: Variant, run: Run) -> Finding:
    name = "one_value.output"
    problem = problem_of(run.event("train"))
    if problem is not None:
        return problem.finding(name) if problem.unsupported else measured(name, "error", problem.sentence)
    y, x = run.table("train"), variant.batches("one_value")[0]
    if y is None or y.shape != x.shape:
        return undetermined(name, "the output has another shape than the input")
    if np.isnan(y).all():
        return measured(name, "NaN")
    if (y == 0).all():
        return measured(name, "zeros")
    if (y == x).all():
        return measured(name, "identity")
    said = ", ".join(f"{b:g} for {a:g}" for a, b in zip(x[:, 0], y[:, 0], strict=True))
    for what, like in (("the input", x), ("its sign", np.sign(x)), ("zeros", np.zeros_like(x))):
        if np.isfinite(y).all() and np.abs(y - like).max() <= 1e-4 * np.abs(x).max():
            return measured(name, "other", f"{said}: nearly {what}")
    return measured(name, "other", said)


def _running(variant: Variant) -> Finding:
    """By a layer that has seen a usual batch, since 0 would not move statistics that begin with 0."""
    name = "one_value.running"
    if not variant.keeps:
        return measured(name, "none kept", "no running statistics are kept")
    runs = variant.runs("one_value")
    fresh, used = runs[0], runs[1] if len(runs) > 1 else None
    state = used.after() if used else []
    if used is not None and len(state) == 2 and not (used.problem and fresh.problem is None):
        before, after, run, index = state[0], state[1], used, 1
    else:
        before, after, run, index = fresh.initial, (fresh.after() or [None])[0], fresh, 0
    problem = problem_of(run.event("train", index))
    if problem is not None and problem.unsupported:
        return problem.finding(name)
    if problem is not None:
        return measured(name, "error", problem.sentence)
    if before is None or after is None:
        return undetermined(name, "the running variance cannot be read before and after")
    old, new = before["var"], after["var"]
    if np.isnan(new).any() and not np.isnan(old).any():
        return measured(name, "NaN")
    if np.isinf(new).any():
        return measured(name, "infinite")
    if not np.array_equal(old, new):
        return measured(name, "moved", f"from {old[0]:.6g} to {new[0]:.6g}")
    if np.array_equal(before["mean"], after["mean"]):
        return measured(name, "unmoved")
    return measured(name, "unmoved", "the running mean moves")
