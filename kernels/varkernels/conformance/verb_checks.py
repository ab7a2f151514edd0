"""The checks of a formula's verbs: run in plain Python, and merged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from ..formulas import Formula
from .subject import CENTRE, EXACT, Subject, benign, bits_of, exact_moments, limits_of, misses


def _taken(formula: Formula, empty: Any, values: Any, centre: tuple[Any, Any] | None) -> Any:
    """The state after all values, one by one, in plain Python."""
    state = empty if formula.start is None or centre is None else formula.start(empty, *centre)
    for n, x in enumerate(values, 1):
        state = formula.update(state, n, x)
    return state


def _centre(formula: Formula, empty_of: Callable[[Formula], Any], values: Any, zero: Any) -> Any:
    """What a formula starts round: (high, low), or None."""
    if formula.centre == "first":
        return values[0], zero
    if formula.centre == "given":
        return type(zero)(CENTRE), zero
    if isinstance(formula.centre, Formula):
        first = formula.centre
        state = _taken(first, empty_of(first), values, _centre(first, empty_of, values, zero))
        return first.read(state, len(values))
    return None


def _verbs(subject: Subject, values: Any) -> tuple[Formula, Any, Any, list[Any]] | None:
    """Formula, empty state, centre and values as scalars of the accumulator's type; None without a formula."""
    if subject.algorithm.parts is None:
        return None
    formula = subject.algorithm.parts[0]
    zero = subject.accumulator.dtype.type(0)
    scalars = list(subject.accumulator.rounded(subject.store(values).astype(np.float64)))

    def empty_of(formula: Formula) -> Any:
        return formula.empty(zero)

    return formula, empty_of(formula), _centre(formula, empty_of, scalars, zero), scalars


def verbs_in_python(subject: Subject) -> Iterator[str]:
    """A formula's verbs on numpy scalars in the order running: the bits of the compiled kernel."""
    if subject.algorithm.order != "running":
        return
    row = benign(subject)[:16]
    with np.errstate(all="ignore"):
        verbs = _verbs(subject, row)
        if verbs is None:
            return
        formula, empty, centre, scalars = verbs
        python = formula.read(_taken(formula, empty, scalars, centre), len(scalars))
    compiled = subject.run(row.reshape(1, 1, -1))
    for name, answer, wanted in (("mean", compiled.mean, python[0]), ("M2", compiled.m2, python[1])):
        if type(wanted) is not subject.accumulator.dtype.type:
            yield (
                f"in Python the verbs give the {name} as {type(wanted).__name__}, wanted a "
                f"{subject.accumulator}: a literal or a count took part without like()"
            )
        elif bits_of(answer) != bits_of(np.asarray([wanted])):
            yield f"the {name} is {answer[0]} compiled and {wanted} in Python"


def merge_laws(subject: Subject) -> Iterator[str]:
    """A formula's merge: two parts together are the whole (exactly where all is exact), in either order."""
    exact = [values for values in EXACT if len(values) == 4]
    for values in (*exact, tuple(benign(subject)[:16].astype(np.float64))):
        with np.errstate(all="ignore"):
            verbs = _verbs(subject, values)
            if verbs is None or verbs[0].merge is None:
                return
            formula, empty, centre, scalars = verbs
            merge = formula.merge
            assert merge is not None
            n = len(scalars)
            halves = n // 2
            for cut in (halves, 1, n - 1):
                a = _taken(formula, empty, scalars[:cut], centre)
                b = _taken(formula, empty, scalars[cut:], centre)
                for order, state in (
                    ("merge(a, b)", merge(a, cut, b, n - cut)),
                    ("merge(b, a)", merge(b, n - cut, a, cut)),
                ):
                    mean, m2 = formula.read(state, n)
                    limits = limits_of(scalars, subject.accumulator)
                    if subject.exact and values in exact and cut == halves:
                        limits = Fraction(0), Fraction(0)
                    for name, got, wanted, limit in misses(mean, m2, exact_moments(scalars), limits):
                        yield (
                            f"{order} of {cut} and {n - cut} of the values {values} has the {name} "
                            f"{got}, wanted {float(wanted):.17g} to within {float(limit):.2g}"
                        )
