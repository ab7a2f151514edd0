"""What each part of a port does to the outputs if it is left alone, in numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ..findings.properties import RunningSpread
from .settings import Sides
from .what_changes import PortChange

__all__ = ["with_effects"]

_Numbers = dict[str, Callable[[float], float]]
# Of what is kept, the variance that a reader of another form takes it for.
_VARIANCE: _Numbers = {
    RunningSpread.VARIANCE: lambda kept: kept,
    RunningSpread.DEVIATION: lambda kept: kept**2,
    RunningSpread.INVERSE: lambda kept: 1 / kept**2,
}
_KEPT: _Numbers = {
    RunningSpread.VARIANCE: lambda variance: variance,
    RunningSpread.DEVIATION: math.sqrt,
    RunningSpread.INVERSE: lambda variance: 1 / math.sqrt(variance),
}


def with_effects(changes: Iterable[PortChange], sides: Sides, error: Any, step: Any) -> list[PortChange]:
    """The changes, each that is needed with its effect on (output - shift).

    Parameters
    ----------
    sides : what the changes are of.
    error : a `PortedError` of one variance and one n.
    step : the `PortStep` of the running variance for the same variance, some steps after a fresh start.
    """
    where = f"at variance {error.variance:g}"
    batch = f"{where}, n = {error.values_per_channel}"
    after = f"{where}, {step.steps} steps from a fresh start"
    e = float(sides.epsilon or 0)
    told = {
        "epsilon": (error.epsilon, where),
        "place of epsilon": (error.place, where),
        "running variance of a batch": (error.factor, batch),
        "epsilon in the running variance": (error.factor, batch),
        "what is kept": (_misread(sides, error.variance, e), where),
        "momentum": (_of_variances(step.changed, step.alone, e), after),
        "law of the running statistics": (_of_variances(step.source, step.changed, e), after),
        "initial running variance": (_of_variances(step.source, step.changed, e), after),
        "correction that normalises in training": (error.normalise, batch),
    }
    return [replace(each, effect=_words(*told[each.part])) if _counts(each, told) else each for each in changes]


def _counts(change: PortChange, told: dict[str, Any]) -> bool:
    return bool(change.needed) and change.part in told


def _words(relative: float | None, where: str) -> str:
    if relative is None or not math.isfinite(relative):
        return ""
    percent = f"{100 * relative:+.2g} %" if abs(relative) >= 5e-7 else "less than 0.0001 %"
    return f"{percent} {where}"


def _of_variances(right: float | None, left_alone: float | None, e: float) -> float | None:
    if right is None or left_alone is None or left_alone + e <= 0:
        return None
    return math.sqrt((right + e) / (left_alone + e)) - 1


def _misread(sides: Sides, variance: float, e: float) -> float | None:
    """What is kept of a variance, taken by the target for what it keeps itself."""
    one, other = sides.source.form, sides.target.form
    if one is None or other is None or one == other or not variance:
        return None
    taken = _VARIANCE[other](_KEPT[one](variance))
    return _of_variances(variance, taken, e)
