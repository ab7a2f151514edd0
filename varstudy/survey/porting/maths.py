"""The exact arithmetic of a port: what is kept, what an evaluation divides by, what is left after k steps.

S is a channel's sum of squared deviations over the n values of a training batch, v = S / n. Every function is exact in
rational numbers or, where a root is needed, correct to more than 200 bits; nothing here knows a framework.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypeAlias

import mpmath

from ..findings.properties import EpsilonInRunning, EpsilonPlace, MomentumSide, RunningLaw, RunningSpread

__all__ = [
    "FORMS",
    "LAWS",
    "SIDES",
    "PortError",
    "after",
    "correction_for",
    "denominator",
    "exact",
    "factor",
    "kept",
    "kept_for",
    "left_of_start",
    "relative",
    "weight_of",
]

BITS = 256
SLACK = 2.0**-200  # for the roundings of these bits
Mpf: TypeAlias = Any  # an mpmath.mpf
# What stands for the variance r in what is kept: r itself, its root, or one over its root.
FORMS = (RunningSpread.VARIANCE, RunningSpread.DEVIATION, RunningSpread.INVERSE)
# What a momentum argument is the weight of.
SIDES = (MomentumSide.OLD, MomentumSide.NEW)
# How the running statistics move, where that is known.
LAWS = tuple(law for law in RunningLaw if law != RunningLaw.OTHER)


class PortError(ValueError):
    """A port that cannot be told: one sentence that names the trouble and says what to do."""


def exact(number: float | int | Fraction) -> Fraction:
    """A setting as it was written down: 0.1 is 1/10, not the float64 next to it.

    The settings of layers are decimals that each framework rounds in its own way; the decimal is what they share.
    """
    return number if isinstance(number, Fraction) else Fraction(str(number))


def factor(n: int, correction: Fraction) -> Fraction:
    """n / (n - c): the variance with correction c over the one without.

    Raises
    ------
    PortError
        n is no larger than c: there is no such variance.
    """
    if n <= correction:
        raise PortError(f"{n} values a channel have no variance with correction {correction}: give more values")
    return Fraction(n) / (n - correction)


def correction_for(
    measured: Fraction, default: Fraction | None, epsilon: Fraction | None, in_running: str
) -> Fraction | None:
    """The correction c under an epsilon, where it was measured under the default one; None where that is not known.

    It is what was measured, but for `EpsilonInRunning.BOTH`: there c = c' + e, and c' is what was measured less the
    default epsilon. A whole number that was measured is c' itself: the default epsilon was too small to show in it.
    """
    if in_running != EpsilonInRunning.BOTH:
        return measured
    whole = measured.denominator == 1
    if epsilon is None or (default is None and not whole):
        return None
    return epsilon + (measured if whole or default is None else measured - default)


def kept(v: Fraction, n: int, correction: Fraction, epsilon: Fraction, in_running: str) -> Fraction:
    """What a batch of variance v puts into the running variance, with the correction that this epsilon gives.

    no: v n / (n - c). added: v n / (n - c) + e. The others: (v + e) n / (n - c).
    """
    if in_running not in tuple(EpsilonInRunning):
        known = ", ".join(EpsilonInRunning)
        raise PortError(f"epsilon enters the running variance {in_running!r}: that is unknown, it is one of {known}")
    within = v + (epsilon if in_running in (EpsilonInRunning.BEFORE, EpsilonInRunning.BOTH) else 0)
    return within * factor(n, correction) + (epsilon if in_running == EpsilonInRunning.ADDED else 0)


def denominator(stored: Fraction | Mpf, epsilon: Fraction, place: str) -> Mpf:
    """What an evaluation divides by, for a stored running variance; `EpsilonPlace.divisor` has the formulas."""
    if place not in tuple(EpsilonPlace):
        raise PortError(f"epsilon's place {place!r} is unknown: it is one of {', '.join(EpsilonPlace)}")
    with mpmath.workprec(BITS):
        return EpsilonPlace(place).divisor(_mpf(stored), _mpf(epsilon), mpmath.sqrt)


def kept_for(wanted: Mpf, epsilon: Fraction, place: str) -> Mpf | None:
    """The running variance to store so that an evaluation divides by `wanted`; None where there is none.

    The inverse of `denominator`: inside the root d^2 - e; added to the deviation (d - e)^2; the others d^2. There is
    none where d is less than the divisor of a variance of 0.
    """
    least = denominator(Fraction(0), epsilon, place)
    with mpmath.workprec(BITS):
        d, e = _mpf(wanted), _mpf(epsilon)
        if d < least * (1 - SLACK):
            return None
        d = max(d, least)
        if place == EpsilonPlace.INSIDE:
            return max(d * d - e, mpmath.mpf(0))
        return (d - e) ** 2 if place == EpsilonPlace.ADDED else d * d


def relative(right: Mpf, left_alone: Mpf) -> float:
    """The relative error of (x - mean) / d where d is left alone: right / left_alone - 1."""
    with mpmath.workprec(BITS):
        if not left_alone:
            return float("nan") if not right else float("inf")
        return float(right / left_alone - 1)


def weight_of(argument: Fraction, multiplies: str) -> Fraction:
    """The weight of the new batch that a momentum argument gives: w = a where it multiplies the new, else 1 - a.

    It is its own inverse: of a weight it gives the argument.
    """
    if multiplies not in SIDES:
        raise PortError(f"momentum multiplies {multiplies!r}: it is new or old")
    return argument if multiplies == MomentumSide.NEW else 1 - argument


def left_of_start(law: str, weight: Fraction | None, steps: int) -> Fraction | None:
    """The share of the initial value in the running statistics after some steps; None where the law does not tell.

    exponential: (1 - w)^k. The first batch adopted, a plain average, zero-debiased (the k-th weight is
    w / (1 - (1 - w)^k)) and accumulated decay (the same weights): 0 from the first step on.
    """
    if steps == 0:
        return Fraction(1)
    if law == RunningLaw.EXPONENTIAL and weight is not None:
        return (1 - weight) ** steps
    forgets = (RunningLaw.PLAIN, RunningLaw.ADOPTED, RunningLaw.DEBIASED, RunningLaw.ACCUMULATED)
    return Fraction(0) if law in forgets else None


def after(law: str, weight: Fraction | None, steps: int, start: Fraction, batch: Fraction) -> Fraction | None:
    """The running variance after some batches that each give the same `batch` variance."""
    share = left_of_start(law, weight, steps)
    return None if share is None else share * start + (1 - share) * batch


def _mpf(value: Fraction | Mpf) -> Mpf:
    return mpmath.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else mpmath.mpf(value)
