"""The checks of an algorithm's answers and of a formula's verbs, each a generator of sentences about what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from ..formulas import Formula
from .subject import (
    CENTRE,
    EXACT,
    Subject,
    benign,
    bits_of,
    exact_moments,
    limits_of,
    misses,
    off,
    rows_of_benign,
    same,
)

__all__ = ["CHECKS"]


def exact_examples(subject: Subject) -> Iterator[str]:
    """Examples whose every intermediate is exact: the answers are, too (or nearly, where exact=False)."""
    for values in EXACT:
        if len(values) == 8 and min(subject.storage.precision, subject.accumulator.precision) < 11:
            continue  # some recurrences meet 441 on the way, which bfloat16 has to round
        exact = exact_moments(values)
        limits = (Fraction(0), Fraction(0)) if subject.exact else limits_of(values, subject.accumulator)
        for shape in ((1, 1, len(values)), (len(values), 1, 1), (2, 1, len(values) // 2)):
            got = subject.run(subject.store(values).reshape(shape))
            if got.count.tolist() != [len(values)]:
                yield f"the values {values} have the count {got.count.tolist()}, wanted [{len(values)}]"
            for name, answer, wanted, _ in misses(got.mean[0], got.m2[0], exact, limits):
                yield f"the values {values} in a view {shape} have the {name} {answer}, wanted {wanted}"


def one_value(subject: Subject) -> Iterator[str]:
    """A row of one value: the mean is the value, M2 is 0, the variance with Bessel's correction is NaN."""
    for value in (3.0, -0.375, 0.0):
        got = subject.row([value])
        limit = Fraction(0) if subject.exact else limits_of([value], subject.accumulator)[1]
        if off(got.mean[0], Fraction(value), limit):
            yield f"the one value {value} has the mean {got.mean[0]}"
        if off(got.m2[0], Fraction(0), limit):
            yield f"the one value {value} has M2 {got.m2[0]}, wanted 0"
        if not np.isnan(float(got.variance(1)[0])):
            yield f"the one value {value} has the variance {got.variance(1)[0]} with correction 1, wanted NaN"


def empty_rows(subject: Subject) -> Iterator[str]:
    """Rows without values: count 0, mean NaN, M2 NaN; and views without rows."""
    for shape in ((0, 3, 4), (2, 3, 0)):
        got = subject.run(np.empty(shape, dtype=subject.storage.dtype))
        if got.count.tolist() != [0, 0, 0]:
            yield f"a view {shape} has the counts {got.count.tolist()}, wanted three zeros"
        for name, answer in (("mean", got.mean), ("M2", got.m2)):
            if not np.isnan(answer.astype(np.float64)).all():
                yield f"a view {shape} has the {name} {answer.tolist()}, wanted NaN"
    none = subject.run(np.empty((2, 0, 4), dtype=subject.storage.dtype))
    if len(none) or none.mean.shape != (0,) or none.m2.shape != (0,):
        yield f"a view (2, 0, 4) has answers for {len(none)} rows, wanted none"


def non_finite(subject: Subject) -> Iterator[str]:
    """NaN and infinities: the row's mean and M2 are not finite, and no other row notices."""
    rows = rows_of_benign(subject, 3, 12)
    clean = subject.run(rows.reshape(1, 3, 12))
    for value in (np.nan, np.inf, -np.inf):
        for row, place in ((0, 0), (0, 11), (1, 5), (2, 0), (2, 11)):
            spoilt = rows.copy()
            spoilt[row, place] = value
            got = subject.run(spoilt.reshape(1, 3, 12))
            where = f"with {value} as the value {place} of row {row}"
            for name, answer, before in (("mean", got.mean, clean.mean), ("M2", got.m2, clean.m2)):
                number = float(answer[row])
                if np.isfinite(number) or (np.isnan(value) and not np.isnan(number)):
                    wanted = "NaN" if np.isnan(value) else "NaN or an infinity"
                    yield f"{where} the row has the {name} {number}, wanted {wanted}"
                for other in {0, 1, 2} - {row}:
                    if bits_of(answer[other : other + 1]) != bits_of(before[other : other + 1]):
                        yield f"{where} the {name} of row {other} is {answer[other]}, wanted {before[other]} as before"


def rows_apart(subject: Subject) -> Iterator[str]:
    """Each row's answers depend on its own values only: alone, or among others in any order, the same bits."""
    rows = rows_of_benign(subject, 5, 12)
    together = subject.run(rows.reshape(1, 5, 12))
    turned = subject.run(np.ascontiguousarray(rows[::-1]).reshape(1, 5, 12))
    blocks = subject.run(rows.reshape(5, 1, 1, 12))
    for r in range(5):
        alone = subject.run(rows[r].reshape(1, 1, 12))
        for name in ("mean", "m2"):
            here = getattr(together, name)[r : r + 1]
            for where, other in (
                ("alone", getattr(alone, name)),
                ("in the rows' opposite order", getattr(turned, name)[4 - r : 5 - r]),
                ("as a block of its own", getattr(blocks, name)[r : r + 1]),
            ):
                if bits_of(here) != bits_of(other):
                    yield f"the {name} of row {r} is {here[0]} among five rows and {other[0]} {where}"


def strides(subject: Subject) -> Iterator[str]:
    """The same values at other strides: the same bits."""
    n, c, h, w = 3, 4, 2, 5
    nchw = rows_of_benign(subject, n * c, h * w).reshape(n, c, h, w)
    nhwc = np.ascontiguousarray(nchw.transpose(0, 2, 3, 1))
    view = nchw.reshape(n, c, h * w)
    wanted = subject.run(view)
    padded = np.zeros((n, c, 2 * h * w + 1), dtype=view.dtype)
    padded[:, :, 1::2] = view
    cases = {
        "NHWC strides": nhwc.reshape(n, h * w, c).transpose(0, 2, 1),
        "Fortran order": np.asfortranarray(view),
        "negative strides": np.ascontiguousarray(view[::-1, ::-1, ::-1])[::-1, ::-1, ::-1],
        "every other value of a larger array": padded[:, :, 1::2],
        "the rows last": np.ascontiguousarray(view.transpose(2, 0, 1)).transpose(1, 2, 0),
    }
    for name, other in cases.items():
        if not same(subject.run(other), wanted):
            yield f"{name}: the answers' bits differ from those of a contiguous view"


def repeatable(subject: Subject) -> Iterator[str]:
    """The same call again: the same bits."""
    view = rows_of_benign(subject, 3, 40).reshape(1, 3, 40)
    first = subject.run(view)
    if not all(same(subject.run(view), first) for _ in range(3)):
        yield "the same call has other bits when it is repeated"


def input_kept(subject: Subject) -> Iterator[str]:
    """The input is not written to, and need not be writable."""
    view = rows_of_benign(subject, 3, 12).reshape(1, 3, 12)
    before = view.tobytes()
    wanted = subject.run(view)
    if view.tobytes() != before:
        yield "the input has changed"
        return
    view.flags.writeable = False
    try:
        got = subject.run(view)
    except (TypeError, ValueError) as problem:
        yield f"a read-only input is refused: {problem}"
        return
    if not same(got, wanted):
        yield "a read-only input has other answers"


def answers(subject: Subject) -> Iterator[str]:
    """The answers' dtypes and shapes; a function of its own answers in the accumulator's dtype or float64."""
    view = rows_of_benign(subject, 3, 12).reshape(1, 3, 12)
    got = subject.run(view)
    wide = subject.accumulator.dtype
    for name, array, dtype in (
        ("count", got.count, np.dtype(np.int64)),
        ("mean", got.mean, wide),
        ("m2", got.m2, wide),
    ):
        if array.dtype != dtype or array.shape != (3,):
            yield f"{name} is an array {array.shape} of {array.dtype}, wanted (3,) of {dtype}"
    if got.count.tolist() != [12, 12, 12]:
        yield f"three rows of 12 values have the counts {got.count.tolist()}"
    if subject.algorithm.run is not None:
        raw = subject.algorithm.run(view, None, subject.accumulator)
        for name, dtype in zip(("means", "M2s"), (np.asarray(part).dtype for part in raw), strict=True):
            if dtype not in (wide, np.dtype(np.float64)):
                yield f"its run gives {name} of {dtype}, wanted {wide} or float64"


def accuracy(subject: Subject) -> Iterator[str]:
    """Benign data (kappa below 2): mean and M2 within the bounds that even the naive formula keeps.

    n values, u the accumulator's unit roundoff, c the centre 2: |error of the mean| <= 4 u sum (|x| + c), and
    |error of M2| <= 8 n u sum (|x| + c)^2.
    """
    row = benign(subject)
    for values in (row[:2], row[:3], row[:7], row):
        limits = limits_of(values, subject.accumulator)
        got = subject.run(values.reshape(1, 1, -1))
        for name, answer, wanted, limit in misses(got.mean[0], got.m2[0], exact_moments(values), limits):
            yield (
                f"{len(values)} benign values have the {name} {answer}, wanted {float(wanted):.17g} "
                f"to within {float(limit):.2g}"
            )


# A formula's verbs, in plain Python and merged -----------------------------------------------------------------------


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


CHECKS: dict[str, Callable[[Subject], Iterator[str]]] = {
    check.__name__: check
    for check in (
        exact_examples,
        one_value,
        empty_rows,
        non_finite,
        rows_apart,
        strides,
        repeatable,
        input_kept,
        answers,
        accuracy,
        verbs_in_python,
        merge_laws,
    )
}
