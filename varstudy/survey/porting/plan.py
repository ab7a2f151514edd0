"""A port from one framework's batch norm to another's: what to change, and what it costs to leave it alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any

from ..findings import documented, elsewhere, measured
from ..findings.measured import FindingRow
from ..findings.properties import EpsilonInRunning, EpsilonPlace, RunningLaw
from ..frameworks.catalogue import FRAMEWORKS
from .convention import Convention, choose, conventions
from .effects import with_effects
from .maths import PortError, after, denominator, exact, kept, kept_for, relative
from .settings import Sides, counts_of, float_of, momentum_of, setting, several
from .snippet import write_snippet
from .what_changes import PortChange, changes

__all__ = ["PortPlan", "PortStep", "PortedError", "port_names"]

VALUES_PER_CHANNEL = (2, 32, 1024)
VARIANCES = (1e-6, 1e-4, 0.01, 1.0, 100.0)
STEPS = (1, 10, 100, 1000)
SHOWN_STEPS = 10  # after which the effect of a momentum is told


@dataclass(frozen=True)
class PortedError:
    """The relative error of (output - shift), each item of the port left alone; None where it is not known.

    Attributes
    ----------
    values_per_channel, variance : n, and the variance v = S / n of the training batches, which the running one has
        reached.
    epsilon, place : the target's epsilon, its place: errors in inference against the source's outputs.
    stored : the running variance that the target must be given for the source's outputs; another one than the source's
        where the places of epsilon differ.
    factor : the running variance taken over as it is: against the target's outputs, had it seen the batches itself.
    normalise : in training mode, where corrections or places of epsilon differ; no argument mends it.
    inference : epsilon and place together, against the source. training : with the factor, against the target.
    """

    values_per_channel: int
    variance: float
    epsilon: float | None
    place: float | None
    stored: float | None
    factor: float | None
    normalise: float | None
    inference: float | None
    training: float | None


@dataclass(frozen=True)
class PortStep:
    """The running variance after some steps on batches of one variance; None where the law does not tell.

    Attributes
    ----------
    steps : how many. source : the source's. alone : the target's with its own defaults.
    same_number : with the source's momentum argument handed over as the number it is.
    changed : with the argument that the port gives.
    """

    steps: int
    source: float | None
    alone: float | None
    same_number: float | None
    changed: float | None


@dataclass(frozen=True)
class PortPlan:
    """A layer of one framework with the state of one of another.

    Attributes
    ----------
    source, target : the two conventions. epsilon, momentum : the source's settings, by default its own.
    target_epsilon, target_momentum : the arguments to give to the target; None where not known.
    weight : of the new batch in the running statistics.
    values_per_channel : n of the training batches.
    variances : v of the training batches that the errors are given for.
    changes : one row a part of the convention. errors : one row for each n and variance.
    steps, steps_variance : the running variance over the steps, for the first n, and for batches of this variance: the
        middle one of the variances, or 0 for n = 1, of which there is no running variance.
    notes : what no table can say. known : for what the running variance is converted, and which facts are not measured.
    """

    source: Convention
    target: Convention
    epsilon: float | None
    momentum: float | None
    target_epsilon: float | None
    target_momentum: float | None
    weight: float | None
    values_per_channel: tuple[int, ...]
    variances: tuple[float, ...]
    steps_variance: float
    changes: tuple[PortChange, ...]
    errors: tuple[PortedError, ...]
    steps: tuple[PortStep, ...]
    notes: tuple[str, ...]
    known: tuple[str, ...]

    def snippet(self) -> str:
        """Python code that reads the source's state, converts it and writes it into the target.

        Raises
        ------
        PortError
            One of the two is not among the frameworks whose state this knows how to read and write, or what the
            conversion hangs on is not known.
        """
        e, m = (None if each is None else exact(each) for each in (self.epsilon, self.momentum))
        source = self.source
        if source.cumulative:  # the code reads from the layer that it is
            source = source.with_law(RunningLaw.EXPONENTIAL)
            m = source.momentum
        return write_snippet(Sides(source, self.target, self.values_per_channel, e, m))

    def record(self) -> dict[str, Any]:
        """The plan as plain data, without the snippet."""
        found = asdict(self)
        for side in ("source", "target"):
            found[side]["facts"] = {name: asdict(fact) for name, fact in getattr(self, side).facts.items()}
        return found


def port_names(
    source: str,
    target: str,
    *,
    values_per_channel: int | Sequence[int] = VALUES_PER_CHANNEL,
    variance: float | Sequence[float] = VARIANCES,
    epsilon: float | None = None,
    momentum: float | str | None = None,
    rows: Iterable[FindingRow] | None = None,
    lookup: Callable[[str, str, str, str], Any] | None = None,
) -> PortPlan:
    """What to change when a batch norm goes from one framework to another.

    Parameters
    ----------
    source, target : FRAMEWORK or FRAMEWORK:VARIANT, as in the findings.
    values_per_channel : n, the values of a channel in a training batch (batch size times pixels): one or several.
    variance : of the batches, v = S / n: one or several.
    epsilon, momentum : the source layer's, where they are not its framework's defaults; momentum as the source's
        argument, or ``cumulative`` where the source takes a plain average over all batches, as torch does for None.
    rows, lookup : other findings than the committed ones; then documented facts come from `lookup` alone.

    Raises
    ------
    PortError
        A name is unknown or does not agree, or a number cannot be.
    ConventionsProblem, DocumentedProblem
        No rows are given, and the findings or the facts that come with the package are cut or edited.
    """
    more: list[str] = []
    others: list[elsewhere.ElsewhereFact] = []
    if rows is None:
        rows, lookup = measured.committed(), lookup or documented.lookup
        more = list(dict.fromkeys(each.framework for each in documented.facts() if each.kind == "batch"))
        others = [each for each in elsewhere.facts() if each.kind == "batch"]
    known = conventions(rows, lookup, more)
    one, other = choose(source, known), choose(target, known)
    counts = counts_of(values_per_channel)
    variances = tuple(setting("variance", each) for each in several(variance))
    if not variances:
        raise PortError("variance: give at least one")
    middle = variances[len(variances) // 2] if counts[0] > 1 else Fraction(0)
    e = one.number("epsilon.default") if epsilon is None else setting("epsilon", epsilon)
    if momentum == "cumulative":
        state = FRAMEWORKS[one.framework].state if one.framework in FRAMEWORKS else None
        if state is None or not state.cumulative:
            raise PortError(f"{one.framework} has no cumulative average: give its momentum argument as a number")
        one, momentum = one.with_law(RunningLaw.PLAIN), None
    m = one.momentum if momentum is None else momentum_of(momentum)
    sides = Sides(one, other, counts, e, m)
    listed, notes, evidence = changes(sides)
    notes += [
        f"Not measured: {elsewhere.words(each)}."
        for each in others
        if each.framework in (one.framework, other.framework)
    ]
    errors = tuple(_error(sides, n, v) for n in counts for v in variances)
    n, v = next((each for each in counts if each > 1), 2), variances[len(variances) // 2]
    listed = with_effects(listed, sides, _error(sides, n, v), _step(replace(sides, counts=(n,)), SHOWN_STEPS, v))
    return PortPlan(
        source=one,
        target=other,
        epsilon=float_of(e),
        momentum=float_of(m),
        target_epsilon=float_of(sides.target_epsilon),
        target_momentum=float_of(sides.argument),
        weight=float_of(sides.weight),
        values_per_channel=counts,
        variances=tuple(float(v) for v in variances),
        steps_variance=float(middle),
        changes=tuple(listed),
        errors=errors,
        steps=tuple(_step(sides, k, middle) for k in STEPS),
        notes=tuple(notes),
        known=tuple(evidence),
    )


def _error(sides: Sides, n: int, v: Fraction) -> PortedError:
    if n == 1:  # S = 0: there is no variance to speak of, see the notes
        return PortedError(n, float(v), *[None] * 7)
    one, other, e = sides.source, sides.target, sides.epsilon
    theirs = other.number("epsilon.default")
    carried = _kept(one, n, v, e)
    from_source = _denominator(carried, e, one.place)
    as_target = _denominator(_kept(other, n, v, e), e, other.place)
    left_alone = _denominator(carried, theirs, other.place)
    return PortedError(
        values_per_channel=n,
        variance=float(v),
        epsilon=_relative(from_source, _denominator(carried, theirs, one.place)),
        place=_relative(from_source, _denominator(carried, e, other.place)),
        stored=None if from_source is None else _stored(from_source, e, other.place),
        factor=_relative(as_target, _denominator(carried, e, other.place)),
        normalise=_relative(_normaliser(one, n, v, e), _normaliser(other, n, v, e)),
        inference=_relative(from_source, left_alone),
        training=_relative(as_target, left_alone),
    )


def _kept(convention: Convention, n: int, v: Fraction, e: Fraction | None) -> Fraction | None:
    """What a batch puts into the running variance; None where that is not known, or there is no such variance."""
    correction, within = convention.correction(e), convention.epsilon_kept
    if correction is None or n <= correction or (e is None and within != EpsilonInRunning.NO):
        return None
    return kept(v, n, correction, e or Fraction(0), within)


def _normaliser(convention: Convention, n: int, v: Fraction, e: Fraction | None) -> Any:
    correction = convention.number("correction.normalise")
    if correction is None or n <= correction:
        return None
    return _denominator(kept(v, n, correction, Fraction(0), EpsilonInRunning.NO), e, convention.place)


def _denominator(stored: Fraction | None, e: Fraction | None, place: EpsilonPlace | None) -> Any:
    if stored is None or place is None or (e is None and place != EpsilonPlace.NONE):
        return None
    return denominator(stored, e or Fraction(0), place)


def _stored(wanted: Any, e: Fraction | None, place: EpsilonPlace | None) -> float | None:
    if place is None or (e is None and place != EpsilonPlace.NONE):
        return None
    found = kept_for(wanted, e or Fraction(0), place)
    return None if found is None or not math.isfinite(float(found)) else float(found)


def _relative(right: Any, left_alone: Any) -> float | None:
    return None if right is None or left_alone is None else relative(right, left_alone)


def _step(sides: Sides, k: int, v: Fraction) -> PortStep:
    n, other = sides.counts[0], sides.target

    def run(convention: Convention, weight: Fraction | None, e: Fraction | None = sides.epsilon) -> float | None:
        start, law, batch = convention.number("initial.var"), convention.law, _kept(convention, n, v, e)
        if start is None or law is None or batch is None or n == 1:
            return None
        return float_of(after(law, weight, k, start, batch))

    alone = run(other, other.weight(), other.number("epsilon.default"))
    return PortStep(k, run(sides.source, sides.weight), alone, run(other, sides.handed), run(other, sides.weight))
