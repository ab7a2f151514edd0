"""The judge: how far a computed mean or variance is from the exact one, and which answers are right.

Errors are differences of exact rational numbers, rounded once, at the end.

Every answer gets one `Status`, by one rule. Let e be its relative error, u the unit roundoff of the format that the
data are stored in, and the answer's format the one that the variance is computed in. An answer is

- undefined where the count is not above the correction: there is no variance;
- not finite where a value of the row is NaN or infinite: there is no variance, and a finite answer is `missed`;
- out of range where the exact variance is neither 0 nor a normal number of the answer's format;
- right where e <= 10 u: at most one decimal digit less than the format's -log10 u;
- inaccurate where 10 u < e <= 1/10: at least one correct digit;
- wrong otherwise: less than one correct digit, negative, NaN, infinite, or not 0 where the exact variance is.

The first that holds counts, so that every row is counted once. e is compared after its one rounding to float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varkernels.formats import Format
from varkernels.rounding import ulp

from .ground_truth import Truth

__all__ = [
    "MAY_LOSE",
    "WRONG_ERROR",
    "Exact",
    "Judgement",
    "Status",
    "Tally",
    "digits",
    "held",
    "judge",
    "quotient",
    "shown_digits",
    "status_of",
]

Floats = NDArray[np.float64]

# A right answer has at most so many decimal digits less than its format holds.
MAY_LOSE = 1.0
# A larger relative error leaves no correct digit.
WRONG_ERROR = 0.1
# So many errors are kept at most for answers that come again: algorithms often agree in every bit of a map's rows.
KEPT = 1 << 20


class Status(str, Enum):
    """What an answer is worth; the module says where each begins. Also of a whole map: the worst of its rows."""

    RIGHT = "right"
    INACCURATE = "inaccurate"
    WRONG = "wrong"
    OUT_OF_RANGE = "out of range"
    UNDEFINED = "undefined"
    NOT_FINITE = "not finite"

    def __str__(self) -> str:
        return self.value


_STATUSES = tuple(Status)


@cache
def held(storage: Format) -> float:
    """The decimal digits that a format holds: -log10 of its unit roundoff."""
    return -math.log10(float(storage.unit_roundoff))


def status_of(error: float, storage: Format) -> Status:
    """The status of an answer with this relative error, where the exact variance is 0 or a normal number.

    Parameters
    ----------
    error : of either sign, as `Exact.errors` gives it. storage : the format of the data.
    """
    if not abs(error) <= WRONG_ERROR:
        return Status.WRONG
    return Status.RIGHT if abs(error) <= 10.0**MAY_LOSE * float(storage.unit_roundoff) else Status.INACCURATE


def digits(error: ArrayLike) -> Floats:
    """Correct decimal digits, -log10 |relative error|: +inf for an exact answer, -inf for a failed one.

    McCullough 1998, "Assessing the Reliability of Statistical Software: Part I", doi:10.1080/00031305.1998.10480589.

    Parameters
    ----------
    error : numbers of any shape, of either sign; an infinite error is a failure. The answer is float64 of this shape.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(0.0 - np.log10(np.abs(np.asarray(error, dtype=np.float64))))


def shown_digits(error: ArrayLike, storage: Format) -> Floats:
    """Correct decimal digits from 0 to all that the format of the data holds; NaN where the error is.

    Parameters
    ----------
    error : relative errors of any shape. storage : the format of the data.
    """
    return np.clip(digits(error), 0.0, held(storage))


def quotient(p: int, q: int) -> float:
    """p / q, q > 0, correctly rounded; never 0 unless p is, infinite where it is beyond float64."""
    try:
        value = p / q
    except OverflowError:
        return math.inf if p > 0 else -math.inf
    return value if value or not p else 5e-324 if p > 0 else -5e-324


class Exact:
    """The exact answers of some rows, against which computed ones are held.

    Attributes
    ----------
    values : the exact numbers, one a row; None where there is none (a NaN in the data, count <= correction).
    known : bool array (rows,): where there is one.
    rounded : float64 array (rows,): the numbers rounded to float64; NaN where there is none.
    nonfinite : bool array (rows,): where there is none for want of finite data.
    m2 : the rows' exact sums of squared deviations, or empty where they are not known.

    Parameters
    ----------
    values : as above. nonfinite, m2 : as above; by default none, and unknown.
    """

    def __init__(
        self,
        values: Sequence[Fraction | None],
        nonfinite: NDArray[np.bool_] | None = None,
        m2: Sequence[Fraction | None] = (),
    ) -> None:
        self.values = tuple(values)
        self.nonfinite = np.zeros(len(self.values), np.bool_) if nonfinite is None else nonfinite
        self.m2 = tuple(m2)
        self.known: NDArray[np.bool_] = np.array([v is not None for v in self.values], dtype=np.bool_)
        self.rounded: Floats = np.array(
            [math.nan if v is None else quotient(v.numerator, v.denominator) for v in self.values],
            np.float64,
        )
        self._ratios = [None if v is None else v.as_integer_ratio() for v in self.values]
        self._errors: dict[bytes, Floats] = {}
        self._ulps: dict[str, Floats] = {}
        self._in_range: dict[str, NDArray[np.bool_]] = {}
        self._squares_overflow: dict[str, int] = {}

    @classmethod
    def mean(cls, truth: Truth) -> Exact:
        """The exact means of a `truth`'s rows; none where a value is not finite, or the row is empty."""
        return cls([truth.mean_fraction(r) if ok else None for r, ok in enumerate(truth.finite.tolist())])

    @classmethod
    def variance(cls, truth: Truth, correction: float = 0.0) -> Exact:
        """The exact variances M2 / (count - correction) of a `truth`'s rows.

        None where a value is not finite, or count <= correction.

        Parameters
        ----------
        truth : as `varstudy.study.ground_truth.truth` gives it.
        correction : a finite number, taken as exactly what it is.
        """
        finite = truth.finite & (truth.count > correction)
        return cls(
            [truth.variance_fraction(r, correction) if ok else None for r, ok in enumerate(finite.tolist())],
            ~truth.finite & (truth.count > correction),
            [truth.m2_fraction(r) if ok else None for r, ok in enumerate(finite.tolist())],
        )

    def errors(self, computed: ArrayLike) -> Floats:
        """(computed - exact) / |exact| of each row, exact but for one rounding; an array that cannot be written.

        0 where both are zero, +-inf where only the exact one is, +inf where the computed one is NaN or infinite,
        NaN where there is no exact one.

        Parameters
        ----------
        computed : array (rows,) of any of the four formats.

        Raises
        ------
        ValueError
            There are more or fewer of them than rows.
        """
        given = np.asarray(computed, np.float64)
        if given.shape != (len(self.values),):
            raise ValueError(f"{given.size} answers for {len(self.values)} rows: give one for each row")
        key = given.tobytes()
        found = self._errors.get(key)
        if found is None:
            found = np.array([_error(*each) for each in zip(given.tolist(), self._ratios, strict=True)], np.float64)
            found.flags.writeable = False
            while self._errors and (len(self._errors) + 1) * len(found) > KEPT:
                del self._errors[next(iter(self._errors))]
            self._errors[key] = found
        return found

    def ulps(self, errors: Floats, fmt: Format) -> Floats:
        """Relative errors as multiples of the format's spacing at the exact number, never negative.

        0 where the error is, +inf where it is infinite (so where only the exact number is zero), NaN where there is no
        exact number.

        Parameters
        ----------
        errors : float64 array (rows,), as `errors` gives them.
        fmt : the format whose spacing it is.
        """
        if fmt.name not in self._ulps:
            factors = [0.0 if v is None else _per_ulp(v, fmt) for v in self.values]
            self._ulps[fmt.name] = np.array(factors, dtype=np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            found = np.abs(errors) * self._ulps[fmt.name]
        return np.where(errors == 0, 0.0, np.where(np.isinf(errors), np.inf, found))

    def in_range(self, answer: Format) -> NDArray[np.bool_]:
        """Where the exact number is 0 or a normal number of a format. Shape (rows,)."""
        if answer.name not in self._in_range:
            low, high = answer.smallest_normal, answer.largest
            found = [v is not None and (v == 0 or low <= abs(v) <= high) for v in self.values]
            self._in_range[answer.name] = np.array(found, np.bool_)
        return self._in_range[answer.name]

    def squares_overflow(self, accumulator: Format) -> int:
        """Rows in range whose sum of squared deviations is not: no formula that forms it has an answer."""
        if accumulator.name not in self._squares_overflow:
            known, largest = self.in_range(accumulator).tolist(), accumulator.largest
            found = sum(ok and m2 is not None and m2 > largest for ok, m2 in zip(known, self.m2, strict=False))
            self._squares_overflow[accumulator.name] = found
        return self._squares_overflow[accumulator.name]


def _error(computed: float, exact: tuple[int, int] | None) -> float:
    """One row's `Exact.errors`, with the exact number as numerator and denominator."""
    if exact is None:
        return math.nan
    if not math.isfinite(computed):
        return math.inf
    p, q = computed.as_integer_ratio()
    numerator, denominator = exact
    scale = abs(numerator) * q
    if scale:
        return quotient(p * denominator - numerator * q, scale)
    return (math.inf if p > 0 else -math.inf) if p else 0.0


def _per_ulp(value: Fraction, fmt: Format) -> float:
    ratio = abs(value) / ulp(value, fmt)
    return quotient(ratio.numerator, ratio.denominator)


# The judge ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tally:
    """How many answers of a map have each status; together, as many as the map has rows.

    Attributes
    ----------
    right, inaccurate, wrong, out_of_range, undefined, not_finite : rows of each `Status`.
    missed : of the rows that are not finite, those with a finite answer.
    """

    right: int = 0
    inaccurate: int = 0
    wrong: int = 0
    out_of_range: int = 0
    undefined: int = 0
    not_finite: int = 0
    missed: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(getattr(self, status.name.lower()) for status in Status)

    @property
    def judged(self) -> int:
        """Rows whose exact variance is 0 or a normal number of the answer's format."""
        return self.right + self.inaccurate + self.wrong

    @property
    def status(self) -> Status:
        """That of the map: of its worst row; wrong too where a NaN or an infinity was missed."""
        if self.wrong or self.missed:
            return Status.WRONG
        for status in (Status.INACCURATE, Status.RIGHT, Status.OUT_OF_RANGE, Status.NOT_FINITE):
            if getattr(self, status.name.lower()):
                return status
        return Status.UNDEFINED


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the answers for the rows of a map are worth.

    Attributes
    ----------
    errors : float64 array (rows,): relative errors, as `Exact.errors` gives them.
    codes : int8 array (rows,): the place of each row's status in `Status`.
    storage : the format of the data.
    tally : how many rows have each status.
    """

    errors: Floats
    codes: NDArray[np.int8]
    storage: Format
    tally: Tally = field(repr=False)

    @property
    def statuses(self) -> tuple[Status, ...]:
        """One a row."""
        return tuple(_STATUSES[code] for code in self.codes.tolist())

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Where the answer is right, inaccurate or wrong. Shape (rows,)."""
        return self.codes <= _STATUSES.index(Status.WRONG)

    @property
    def digits_worst(self) -> float:
        """The fewest correct digits of a judged row, from 0 to what the format holds; NaN where none is judged."""
        errors = self.errors[self.judged]
        return float(shown_digits(np.abs(errors).max(), self.storage)) if len(errors) else math.nan


def judge(
    exact: Exact, computed: ArrayLike, storage: Format, answer: Format, errors: Floats | None = None
) -> Judgement:
    """Give each computed variance its status, by the rule at the head of this module.

    Parameters
    ----------
    exact : the exact variances, by `Exact.variance`.
    computed : array (rows,) of any of the four formats; NaN for a function that gave no answer.
    storage : the format that the data are stored in, which sets how many digits there are.
    answer : the format of the answer, which sets the range.
    errors : what `Exact.errors` gives for these answers, where that is at hand.

    Raises
    ------
    ValueError
        There are more or fewer answers than rows.
    """
    given = np.asarray(computed, np.float64)
    errors = exact.errors(given) if errors is None else errors
    size = np.abs(errors)
    right = 10.0**MAY_LOSE * float(storage.unit_roundoff)
    codes = np.full(len(given), _STATUSES.index(Status.WRONG), np.int8)
    # The rule's first that holds comes last.
    for status, where in (
        (Status.INACCURATE, size <= WRONG_ERROR),
        (Status.RIGHT, size <= right),
        (Status.OUT_OF_RANGE, ~exact.in_range(answer)),
        (Status.UNDEFINED, ~exact.known),
        (Status.NOT_FINITE, exact.nonfinite),
    ):
        codes[where] = _STATUSES.index(status)
    counts: list[int] = np.bincount(codes, minlength=len(_STATUSES)).tolist()
    missed = int(np.count_nonzero(exact.nonfinite & np.isfinite(given)))
    return Judgement(errors, codes, storage, Tally(*[*counts, missed]))
