"""Conformance: what an algorithm of another package must do to be studied beside ours, as checks to run.

In a test file, for pytest (which this module does not import):

    from varkernels.conformance import Conformance

    class TestMine(Conformance):
        algorithm = MINE                      # an Algorithm, or the name of a registered one

or anywhere, with an AssertionError that has one line for each thing that went wrong:

    from varkernels.conformance import check_algorithm
    check_algorithm(MINE)

Every check runs for each pair of a storage format and an accumulator that the algorithm serves. An algorithm
that needs a centre gets the number 2. Bits are compared but for the payload of a NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .algorithm import Algorithm
from .dispatch import moments
from .formats import FORMATS, Format, format_of
from .formulas import Formula
from .registry import get
from .row_moments import Moments

__all__ = ["CHECKS", "Conformance", "Subject", "check_algorithm", "failures"]

# Every difference, quotient and product that a recurrence, a merge of halves or raw sums meet on the way is a
# small integer or half of one: the k-th value is the mean before it plus k times a whole number.
_EXACT = ((4, 6), (4, 6, 2, 8), (4, 6, 2, 8, 0, 10, -2, 12), (-1, 1), (0.5, -1.5), (7, 7, 7, 7), (0, 0))
# Benign: of size 1, centred near 1/2, nothing to cancel. Multiples of 1/8, which every format holds.
_BENIGN = (12, -3, 7, 1, -8, 9, 16, -5, 2, 4, 11, -6, 0, 13, -1, 8)
_CENTRE = 2.0


@dataclass(frozen=True)
class Subject:
    """An algorithm with one storage format and one accumulator.

    Attributes
    ----------
    algorithm : what is checked. storage, accumulator : formats of the values and of every operation.
    exact : as for `failures`.
    """

    algorithm: Algorithm
    storage: Format
    accumulator: Format
    exact: bool = True

    def __str__(self) -> str:
        return f"{self.algorithm.name}, {self.storage} values, {self.accumulator} accumulator"

    def store(self, values: Any) -> NDArray[Any]:
        """Numbers as an array of the storage format."""
        return self.storage.rounded(values)

    def run(self, view: NDArray[Any]) -> Moments:
        """The moments of a view's rows, in this accumulator; round the centre 2 where the algorithm needs one.

        Parameters
        ----------
        view : array (segments, rows, length) or (blocks, segments, rows, length) of the storage's dtype.
        """
        centre = _CENTRE if self.algorithm.needs_centre else None
        return moments(view, self.algorithm, self.accumulator, centre=centre)

    def row(self, values: Any) -> Moments:
        """The moments of one row: numbers, stored in the storage format first."""
        return self.run(self.store(values).reshape(1, 1, -1))


Check = Callable[[Subject], Iterator[str]]
"""A check yields a sentence for each thing that is wrong."""


# Numbers ----------------------------------------------------------------------------------------------------


def _bits(array: NDArray[Any]) -> bytes:
    """An array's bits, all NaNs made one."""
    wide = array.astype(np.float64)
    return np.where(np.isnan(wide), np.nan, wide).tobytes()


def _same(a: Moments, b: Moments) -> bool:
    return bool(np.array_equal(a.count, b.count)) and _bits(a.mean) == _bits(b.mean) and _bits(a.m2) == _bits(b.m2)


def _exactly(values: Any) -> tuple[Fraction, Fraction]:
    """Mean and M2 of numbers, as a float holds each of them."""
    numbers = [Fraction(float(value)) for value in values]
    mean = sum(numbers, Fraction(0)) / len(numbers)
    return mean, sum(((x - mean) ** 2 for x in numbers), Fraction(0))


def _limits(values: Any, fmt: Format) -> tuple[Fraction, Fraction]:
    """Absolute errors of mean and M2 that every sane algorithm stays under on benign data.

    4 u sum (|x| + centre) for the mean and 8 n u sum (|x| + centre)^2 for M2: more than the bound of the naive
    formula, u + (1 + u) (gamma_n + gamma_2n) kappa^2 with gamma_k = k u / (1 - k u), allows.
    """
    sizes = [abs(Fraction(float(value))) + Fraction(_CENTRE) for value in values]
    u = fmt.unit_roundoff
    return 4 * u * sum(sizes), 8 * len(sizes) * u * sum(size * size for size in sizes)


def _off(got: Any, wanted: Fraction, limit: Fraction) -> bool:
    number = float(got)
    return not np.isfinite(number) or abs(Fraction(number) - wanted) > limit


def _benign(subject: Subject) -> NDArray[Any]:
    """One row of benign data, long where the accumulator is precise enough for a long row to say something."""
    repeats = 1 if subject.accumulator.precision < 24 else 63
    values = np.tile(np.array(_BENIGN, dtype=np.float64), repeats)
    # An uneven ripple, so that rows do not repeat themselves and sums are not all exact.
    return subject.store(values / 8 + np.arange(len(values)) % 7 / 24)


def _rows(subject: Subject, rows: int, length: int) -> NDArray[Any]:
    """Different rows of benign data, (rows, length)."""
    return np.stack([np.resize(np.roll(_benign(subject), 3 * r), length) for r in range(rows)])


# Checks -----------------------------------------------------------------------------------------------------


def exact_examples(subject: Subject) -> Iterator[str]:
    """Examples whose every intermediate is exact: the answers are, too (or nearly, where exact=False)."""
    for values in _EXACT:
        if len(values) == 8 and min(subject.storage.precision, subject.accumulator.precision) < 11:
            continue  # some recurrences meet 441 on the way, which bfloat16 has to round
        mean, m2 = _exactly(values)
        limits = (Fraction(0), Fraction(0)) if subject.exact else _limits(values, subject.accumulator)
        for shape in ((1, 1, len(values)), (len(values), 1, 1), (2, 1, len(values) // 2)):
            got = subject.run(subject.store(values).reshape(shape))
            if got.count.tolist() != [len(values)]:
                yield f"the values {values} have the count {got.count.tolist()}, wanted [{len(values)}]"
            for name, answer, wanted, limit in (
                ("mean", got.mean[0], mean, limits[0]),
                ("M2", got.m2[0], m2, limits[1]),
            ):
                if _off(answer, wanted, limit):
                    yield f"the values {values} in a view {shape} have the {name} {answer}, wanted {wanted}"


def one_value(subject: Subject) -> Iterator[str]:
    """A row of one value: the mean is the value, M2 is 0, the variance with Bessel's correction is NaN."""
    for value in (3.0, -0.375, 0.0):
        got = subject.row([value])
        limit = Fraction(0) if subject.exact else _limits([value], subject.accumulator)[1]
        if _off(got.mean[0], Fraction(value), limit):
            yield f"the one value {value} has the mean {got.mean[0]}"
        if _off(got.m2[0], Fraction(0), limit):
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
    rows = _rows(subject, 3, 12)
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
                    if _bits(answer[other : other + 1]) != _bits(before[other : other + 1]):
                        yield f"{where} the {name} of row {other} is {answer[other]}, wanted {before[other]} as before"


def rows_apart(subject: Subject) -> Iterator[str]:
    """Each row's answers depend on its own values only: alone, or among others in any order, the same bits."""
    rows = _rows(subject, 5, 12)
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
                if _bits(here) != _bits(other):
                    yield f"the {name} of row {r} is {here[0]} among five rows and {other[0]} {where}"


def strides(subject: Subject) -> Iterator[str]:
    """The same values at other strides: the same bits."""
    n, c, h, w = 3, 4, 2, 5
    nchw = _rows(subject, n * c, h * w).reshape(n, c, h, w)
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
        if not _same(subject.run(other), wanted):
            yield f"{name}: the answers' bits differ from those of a contiguous view"


def repeatable(subject: Subject) -> Iterator[str]:
    """The same call again: the same bits."""
    view = _rows(subject, 3, 40).reshape(1, 3, 40)
    first = subject.run(view)
    if not all(_same(subject.run(view), first) for _ in range(3)):
        yield "the same call has other bits when it is repeated"


def input_kept(subject: Subject) -> Iterator[str]:
    """The input is not written to, and need not be writable."""
    view = _rows(subject, 3, 12).reshape(1, 3, 12)
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
    if not _same(got, wanted):
        yield "a read-only input has other answers"


def answers(subject: Subject) -> Iterator[str]:
    """The answers' dtypes and shapes; a function of its own answers in the accumulator's dtype or float64."""
    view = _rows(subject, 3, 12).reshape(1, 3, 12)
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
    row = _benign(subject)
    for values in (row[:2], row[:3], row[:7], row):
        mean, m2 = _exactly(values)
        limits = _limits(values, subject.accumulator)
        got = subject.run(values.reshape(1, 1, -1))
        for name, answer, wanted, limit in (
            ("mean", got.mean[0], mean, limits[0]),
            ("M2", got.m2[0], m2, limits[1]),
        ):
            if _off(answer, wanted, limit):
                yield (
                    f"{len(values)} benign values have the {name} {answer}, wanted {float(wanted):.17g} "
                    f"to within {float(limit):.2g}"
                )


# Verbs ------------------------------------------------------------------------------------------------------


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
        return type(zero)(_CENTRE), zero
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
        return formula.state(*[zero for _ in formula.state._fields])  # type: ignore[attr-defined]

    return formula, empty_of(formula), _centre(formula, empty_of, scalars, zero), scalars


def verbs_in_python(subject: Subject) -> Iterator[str]:
    """A formula's verbs on numpy scalars in the order running: the bits of the compiled kernel."""
    if subject.algorithm.order != "running":
        return
    row = _benign(subject)[:16]
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
        elif _bits(answer) != _bits(np.asarray([wanted])):
            yield f"the {name} is {answer[0]} compiled and {wanted} in Python"


def merge_laws(subject: Subject) -> Iterator[str]:
    """A formula's merge: two parts together are the whole (exactly where all is exact), in either order."""
    exact = [values for values in _EXACT if len(values) == 4]
    for values in (*exact, tuple(_benign(subject)[:16].astype(np.float64))):
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
                    answer = formula.read(state, n)
                    mean, m2 = _exactly(scalars)
                    limits = _limits(scalars, subject.accumulator)
                    if subject.exact and values in exact and cut == halves:
                        limits = Fraction(0), Fraction(0)
                    for name, got, wanted, limit in (
                        ("mean", answer[0], mean, limits[0]),
                        ("M2", answer[1], m2, limits[1]),
                    ):
                        if _off(got, wanted, limit):
                            yield (
                                f"{order} of {cut} and {n - cut} of the values {values} has the {name} "
                                f"{got}, wanted {float(wanted):.17g} to within {float(limit):.2g}"
                            )


CHECKS: dict[str, Check] = {
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


# To be called -----------------------------------------------------------------------------------------------


def _subjects(algorithm: Algorithm | str, exact: bool, storages: tuple[str, ...]) -> list[Subject]:
    """An algorithm with each storage format and each accumulator that serves both."""
    algo = get(algorithm) if isinstance(algorithm, str) else algorithm
    if not isinstance(algo, Algorithm):
        raise TypeError(f"{algorithm!r} is neither a varkernels.Algorithm nor the name of one")
    return [
        Subject(algo, storage, accumulator, exact)
        for storage in map(format_of, storages)
        for accumulator in FORMATS.values()
        if accumulator.name in algo.accumulators
        and (accumulator is storage or accumulator.precision >= max(24, storage.precision))
    ]


def failures(
    algorithm: Algorithm | str,
    *,
    exact: bool = True,
    storages: tuple[str, ...] = tuple(FORMATS),
    checks: tuple[str, ...] = tuple(CHECKS),
) -> list[str]:
    """A line for each thing that is wrong: the check, the algorithm, the formats, what it got, what was wanted.

    Parameters
    ----------
    algorithm : an Algorithm, or the name of a registered one.
    exact : whether its answers are exact where every operation of the textbook formulas is. Say False for an
        algorithm that multiplies with a rounded 1 / n, for instance: such answers must then be near.
    storages : the names of the values' formats that are tried, at least one.
    checks : names from CHECKS.

    Raises
    ------
    TypeError
        It is not an Algorithm, or a storage is no known format.
    ValueError
        There is no algorithm of that name, or it serves none of the storages; a check is unknown; or no storage is
        named.
    """
    unknown = [name for name in checks if name not in CHECKS]
    if unknown:
        raise ValueError(f"check {unknown[0]!r} is unknown: use some of {', '.join(CHECKS)}")
    if not storages:
        raise ValueError(f"storages={storages!r} names no format: use some of {', '.join(FORMATS)}")
    found = []
    tried = _subjects(algorithm, exact, storages)
    if not tried:
        name = getattr(algorithm, "name", algorithm)
        raise ValueError(f"algorithm {name!r} has no accumulator for values of {' or '.join(storages)}")
    for subject in tried:
        for name in checks:
            try:
                found += [f"{name}: {subject}: {sentence}" for sentence in CHECKS[name](subject)]
            except Exception as problem:  # an algorithm that raises has failed this check, not the others
                found.append(f"{name}: {subject}: it raises {type(problem).__name__}: {problem}")
    return found


def check_algorithm(
    algorithm: Algorithm | str, *, exact: bool = True, storages: tuple[str, ...] = tuple(FORMATS)
) -> None:
    """Run every check on an algorithm.

    Parameters
    ----------
    algorithm, exact, storages : as for `failures`.

    Raises
    ------
    AssertionError
        Something is wrong: one line for each thing.
    TypeError, ValueError
        As for `failures`.
    """
    found = failures(algorithm, exact=exact, storages=storages)
    if found:
        raise AssertionError("\n".join(found))


class Conformance:
    """The checks as a test class: derive one, whose name starts with Test, and give it an algorithm.

    Attributes
    ----------
    algorithm : an Algorithm, or the name of a registered one.
    exact, storages : as for `failures`.
    """

    algorithm: Algorithm | str
    exact: bool = True
    storages: tuple[str, ...] = tuple(FORMATS)

    def _check(self, name: str) -> None:
        found = failures(self.algorithm, exact=self.exact, storages=self.storages, checks=(name,))
        assert not found, "\n".join(found)

    def test_exact_examples(self) -> None:
        self._check("exact_examples")

    def test_one_value(self) -> None:
        self._check("one_value")

    def test_empty_rows(self) -> None:
        self._check("empty_rows")

    def test_non_finite(self) -> None:
        self._check("non_finite")

    def test_rows_apart(self) -> None:
        self._check("rows_apart")

    def test_strides(self) -> None:
        self._check("strides")

    def test_repeatable(self) -> None:
        self._check("repeatable")

    def test_input_kept(self) -> None:
        self._check("input_kept")

    def test_answers(self) -> None:
        self._check("answers")

    def test_accuracy(self) -> None:
        self._check("accuracy")

    def test_verbs_in_python(self) -> None:
        self._check("verbs_in_python")

    def test_merge_laws(self) -> None:
        self._check("merge_laws")
