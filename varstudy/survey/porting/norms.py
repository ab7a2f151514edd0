"""A norm that keeps no state, layer, group, instance or RMS norm, from one framework to another."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from ..findings import measured
from ..findings.measured import FindingRow
from ..findings.properties import EpsilonPlace, FindingStatus
from .aliases import meaning
from .maths import PortError, denominator, exact, relative
from .settings import float_of, setting
from .what_changes import NOT_MEASURED, PortChange

__all__ = ["NormPlan", "NormSide", "port_norm"]

# What is told of such a norm, and what to do where it differs.
_PARTS = {
    "correction.normalise": ("correction of the variance", "no argument changes it"),
    "epsilon.place": ("place of epsilon", "no argument changes it: outputs differ where the variance is small"),
    "evaluation": ("evaluation", "look which statistics inference uses"),
    "one_value.output": ("output of one value", "keep rows of a single value away from both"),
}
VARIANCES = (Fraction(1, 10**6), Fraction(1, 10**4), Fraction(1, 100))


@dataclass(frozen=True)
class NormSide:
    """A framework's norm of one kind: its name, variant, version, and its measured properties."""

    framework: str
    variant: str
    version: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class NormPlan:
    """What to change in a norm that keeps no state.

    Attributes
    ----------
    kind : a `LayerKind`. source, target : the two sides. epsilon : the source's.
    changes : one row a part. notes : what the measured properties do not ask.
    """

    kind: str
    source: NormSide
    target: NormSide
    epsilon: float | None
    changes: tuple[PortChange, ...]
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """The plan as plain data."""
        return asdict(self)


def port_norm(
    kind: str, source: str, to: str, *, epsilon: float | None = None, rows: Iterable[FindingRow] | None = None
) -> NormPlan:
    """What to change when a layer, group, instance or RMS norm goes from one framework to another.

    Parameters
    ----------
    kind : ``layer``, ``group``, ``instance`` or ``rms``.
    source, to : FRAMEWORK or FRAMEWORK:VARIANT, as in the findings.
    epsilon : the source layer's, where it is not its framework's default.
    rows : other findings than the committed ones.

    Raises
    ------
    PortError
        Nothing was measured of this kind in one of the two.
    """
    known = [each for each in (measured.committed() if rows is None else rows) if each.kind == kind]
    one, other = (_side(name, kind, known) for name in (source, to))
    e = setting("epsilon", epsilon) if epsilon is not None else _number(one.facts.get("epsilon.default"))
    changes = [_epsilon(one, other, e)]
    for name, (title, advice) in _PARTS.items():
        a, b = one.facts.get(name), other.facts.get(name)
        if a is None and b is None:
            continue
        needed = None if a is None or b is None else a != b
        do = {True: advice, False: "nothing", None: "not measured: compare outputs first"}[needed]
        mine, theirs = (NOT_MEASURED if each is None else str(each) for each in (a, b))
        evidence = NOT_MEASURED if needed is None else "measured"
        changes.append(PortChange(title, mine, theirs, do, "both", needed, evidence))
    names = (one.framework, other.framework)
    notes = [
        f"{each['sentence']} ({each['source']})"
        for each in _notes()
        if each["kind"] == kind and any(name.startswith(each["framework"]) for name in names)
    ]
    return NormPlan(kind, one, other, float_of(e), tuple(changes), tuple(notes))


@cache
def _notes() -> list[dict[str, str]]:
    """What the measured properties do not ask: kind, framework, sentence, and where it was read or measured."""
    found: list[dict[str, str]] = json.loads(Path(__file__).with_name("norm_notes.json").read_text("utf-8"))
    return found


def _number(value: Any) -> Fraction | None:
    return exact(value) if isinstance(value, (int, float)) else None


def _side(name: str, kind: str, rows: list[FindingRow]) -> NormSide:
    typed, _, variant = (part.strip().lower() for part in name.partition(":"))
    frameworks = list(dict.fromkeys(each.framework for each in rows))
    wanted, _ = meaning(typed, frameworks)
    chosen = next((each for each in frameworks if each.lower() == wanted or each.startswith(wanted + "-")), None)
    if chosen is None or not wanted:
        raise PortError(f"no {kind} norm of {name!r} was measured: use one of {', '.join(frameworks)}")
    mine = [each for each in rows if each.framework == chosen]
    variants = list(dict.fromkeys(each.variant for each in mine))
    layout = next((each for each in variants if each.lower() == variant), variants[0])
    facts = {
        each.property: each.plain()
        for each in sorted(mine, key=lambda row: -row.threads)
        if each.variant == layout and each.status == FindingStatus.MEASURED and each.value
    }
    return NormSide(chosen, layout, mine[0].version, facts)


def _epsilon(one: NormSide, other: NormSide, e: Fraction | None) -> PortChange:
    theirs = _number(other.facts.get("epsilon.default"))
    needed = None if e is None or theirs is None else e != theirs
    do = "not measured: read the source layer's, and give it to the target"
    if e is not None:
        do = f"give the target epsilon {float(e):g}" + (" (its default)" if needed is False else "")
    effects = []
    place = one.facts.get("epsilon.place", EpsilonPlace.INSIDE)
    if needed and e is not None and theirs is not None:
        for v in VARIANCES:
            off = relative(denominator(v, e, place), denominator(v, theirs, place))
            effects.append(f"{100 * off:+.2g} % at variance {float(v):g}")
    shown = [NOT_MEASURED if each is None else f"{float(each):g}" for each in (e, theirs)]
    evidence = "measured" if theirs is not None else NOT_MEASURED
    return PortChange("epsilon", shown[0], f"{shown[1]} by default", do, "both", needed, evidence, ", ".join(effects))
