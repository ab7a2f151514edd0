"""What each algorithm would lose on one given array: by measurement against exact truth, and by bound.

Relative errors are taken over the rows whose exact variance is above zero. On constant rows, where it is zero, the
computed variance itself is the error; it is reported beside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

import varkernels
from varkernels import Algorithm
from varkernels.formats import FORMATS, Format

from .measure import ACCUMULATORS, Reduction, moments_of, reduction
from .score import digits
from .theory import bounds, variance_bound

__all__ = ["CHOSEN", "Answer", "Check", "RowFact", "accumulators_for", "algorithms_for", "answers", "check", "decimal"]

CHOSEN = (
    "naive",
    "naive/pairwise",
    "shifted_first",
    "youngs_cramer",
    "west",
    "welford",
    "chan/blocked128",
    "chan",
    "two_pass",
    "pairwise",
    "corrected_two_pass",
    "corrected_two_pass/pairwise",
    "kahan_two_pass",
    "neumaier_two_pass",
    "double_double",
)
"""The algorithms that are shown unless others are asked for: those of one sweep over the data first, and of each
kind the one with the fewest operations first."""

# An algorithm is good enough if its worst row loses no more than this many of the format's decimal digits.
MAY_LOSE = 1.0
# Rows that are named one by one.
NAMED = 5


def decimal(value: Fraction, places: int = 20) -> str:
    """A rational number in decimal, correctly rounded to that many significant digits."""
    context = Context(prec=places, Emin=-999999, Emax=999999)
    return str(context.divide(Decimal(value.numerator), Decimal(value.denominator)).normalize(context))


def algorithms_for(names: Iterable[str] = ()) -> list[Algorithm]:
    """The algorithms of these names; without names those of `CHOSEN` and of other packages.

    Raises
    ------
    ValueError
        A name is unknown.
    """
    wanted = list(names)
    if wanted:
        return [varkernels.get(name) for name in wanted]
    known = varkernels.algorithms()
    return [known[name] for name in CHOSEN] + [found for found in known.values() if not found.builtin]


def accumulators_for(storage: str, wanted: str | None = None) -> tuple[str, ...]:
    """The accumulators to try for a storage format: those of the study, or the one asked for.

    Raises
    ------
    ValueError
        The one asked for cannot hold the values.
    """
    if wanted is None:
        return ACCUMULATORS[storage]
    possible = tuple(dict.fromkeys((storage, *ACCUMULATORS[storage], "float64")))
    if wanted not in possible:
        raise ValueError(f"accumulator {wanted!r} does not serve {storage} values: use one of {', '.join(possible)}")
    return (wanted,)


@dataclass(frozen=True)
class Answer:
    """How one algorithm does on the rows of an array.

    Attributes
    ----------
    algorithm, accumulator : which.
    digits_worst, digits_median : correct decimal digits over the rows that vary; inf: exact, nan: there are none.
    digits_bound : digits that the rigorous bound guarantees on every row; -inf: it guarantees nothing, nan: unknown.
    ulps_worst : the worst row's error in units of the storage format's last place.
    negative, nan, infinite : variances that came out so.
    constant_worst : the largest |variance| computed for a constant row; inf: a NaN, nan: there are none.
    row : the row that is worst: where the relative error is largest; -1: there is none.
    computed : the variance computed for it, as a float64, and `text`: in as few digits as the accumulator needs.
    exact : its exact variance, to 34 significant digits.
    """

    algorithm: str
    accumulator: str
    digits_worst: float
    digits_median: float
    digits_bound: float
    ulps_worst: float
    negative: int
    nan: int
    infinite: int
    constant_worst: float
    row: int
    computed: float
    text: str
    exact: str

    @property
    def failed(self) -> bool:
        """Whether some variance is no variance at all."""
        return bool(self.negative or self.nan or self.infinite)


def answers(
    reduced: Reduction,
    storage: Format,
    correction: float,
    algorithms: Sequence[Algorithm],
    accumulators: Sequence[str],
) -> list[Answer]:
    """Every algorithm in every accumulator that it has, on the rows of a reduction made for these."""
    return [
        _answer(reduced, storage, correction, algorithm, FORMATS[name])
        for name in accumulators
        for algorithm in algorithms
        if name in algorithm.accumulators
    ]


def size_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Magnitudes; infinite for NaN."""
    return np.where(np.isnan(values), np.inf, np.abs(values))


def _answer(reduced: Reduction, storage: Format, correction: float, algorithm: Algorithm, fmt: Format) -> Answer:
    exact, rows = reduced.variance[correction], reduced.rows
    variance = moments_of(reduced, algorithm, fmt)[1][correction]
    # `rounded` is zero only where the exact variance is.
    varies = exact.known & (exact.rounded != 0)
    constant = exact.known & (exact.rounded == 0)
    errors = exact.errors(variance)
    error = np.abs(errors)
    with np.errstate(all="ignore"):
        limit = variance_bound(bounds(algorithm, fmt, rows).m2, rows, correction, fmt)
        size = rows.s / (rows.n - correction) if rows.n > correction else rows.s
        relative = (limit / size)[varies]
    known = np.flatnonzero(varies if varies.any() else constant)
    # The first of the worst; of constant rows the one with the largest variance.
    badness = error[known] if varies.any() else size_of(variance[known])
    row = int(known[np.argmax(badness)]) if len(known) else -1
    computed = float(variance[row]) if row >= 0 else math.nan
    answer = exact.values[row] if row >= 0 else None
    found = variance[exact.known]
    ulps = exact.ulps(errors, storage)[varies]
    return Answer(
        algorithm=algorithm.name,
        accumulator=fmt.name,
        digits_worst=float(digits(error[varies].max())) if varies.any() else math.nan,
        digits_median=float(digits(np.median(error[varies]))) if varies.any() else math.nan,
        digits_bound=float(digits(relative.max())) if len(relative) else math.nan,
        ulps_worst=float(ulps.max()) if len(ulps) else math.nan,
        negative=int(np.count_nonzero(found < 0)),
        nan=int(np.count_nonzero(np.isnan(found))),
        infinite=int(np.count_nonzero(np.isinf(found))),
        constant_worst=float(size_of(variance[constant]).max()) if constant.any() else math.nan,
        row=row,
        computed=computed,
        text=str(fmt.dtype.type(computed)),
        exact="" if answer is None else decimal(answer, 34),
    )


# -------------------------------------------------------------------------------------------- one array


@dataclass(frozen=True)
class RowFact:
    """A row worth naming: its index, what it is, its condition number and its exact variance."""

    row: int
    what: str
    kappa: float
    exact: str


@dataclass(frozen=True)
class Check:
    """What was found of an array; `record` gives it as plain data.

    Attributes
    ----------
    shape, layout, norm, groups, storage, how, correction : what was studied; `how` says how it was converted.
    rows, values : how many rows, and values in each.
    nonfinite : rows with a NaN or an infinity, which have no variance; `nonfinite_named` names the first.
    constant : rows whose values are all equal: their exact variance is 0.
    undefined : rows with no more values than the correction: they have no variance.
    kappa_worst, kappa_median : condition numbers of the rows that vary; nan where there are none.
    worst : the rows with the largest condition numbers.
    available : decimal digits that the storage format has, -log10 u.
    answers : how each algorithm does.
    recommended : the algorithm and accumulator to use; None where nothing could be measured.
    advice : a sentence that recommends it, with the reason.
    """

    shape: tuple[int, ...]
    layout: str
    norm: str
    groups: int | None
    storage: str
    how: str
    correction: float
    rows: int
    values: int
    nonfinite: int
    nonfinite_named: list[str]
    constant: int
    undefined: int
    kappa_worst: float
    kappa_median: float
    worst: list[RowFact]
    available: float
    answers: list[Answer] = field(repr=False)
    recommended: tuple[str, str] | None
    advice: str

    def record(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)


def row_name(row: int, shape: Sequence[int], norm: str, layout: str, groups: int | None) -> str:
    """What a row of a view is in the array: ``sample 3, group 1``."""
    if norm == "flat":
        return "all values"
    if norm == "batch":
        return f"channel {row}"
    if norm == "layer":
        return f"sample {row}"
    if norm == "group":
        each = int(groups or 1)
        return f"sample {row // each}, group {row % each}"
    channels = int(shape[3] if layout == "NHWC" else shape[1])
    return f"sample {row // channels}, channel {row % channels}"


def _nonfinite(reduced: Reduction, row: int, name: str) -> str:
    exact = reduced.truth
    counts = (("NaN", exact.nan), ("+inf", exact.posinf), ("-inf", exact.neginf))
    return f"{name}: " + ", ".join(f"{int(count[row])} {what}" for what, count in counts if count[row])


def check(
    array: NDArray[Any],
    norm: str,
    *,
    layout: str = "NCHW",
    groups: int | None = None,
    correction: float = 0.0,
    accumulator: str | None = None,
    algorithms: Iterable[str] = (),
    how: str = "",
) -> Check:
    """Measure what each algorithm loses on an array, and recommend one.

    Parameters
    ----------
    array : float16, bfloat16, float32 or float64, with values, of the rank that the layout has.
    norm, layout, groups : which values are taken together, as for `varstudy.view`.
    correction : the variance is M2 / (count - correction).
    accumulator : the format of every operation; by default the array's own and the next wider one are tried.
    algorithms : names; by default those of `CHOSEN`.
    how : how the array was made from what the user gave, for the answer.

    Raises
    ------
    ValueError
        The norm, the layout, the groups, an algorithm or the accumulator does not fit.
    TypeError
        The dtype is not one of the four.
    """
    storage = varkernels.format_of(array.dtype)
    if not math.isfinite(correction):
        raise ValueError(f"correction={correction!r}: give a finite number, such as 0 or 1")
    correction = float(correction)
    chosen = algorithms_for(algorithms)
    formats = accumulators_for(storage.name, accumulator)
    reduced = reduction(array, norm, layout=layout, groups=groups, corrections=(correction,), accumulators=formats)
    exact = reduced.truth

    def name(row: int) -> str:
        return row_name(row, array.shape, norm, layout, groups)

    variance = reduced.variance[correction]
    varies = variance.known & (variance.rounded != 0)
    kappa = np.array([float(k) for k in exact.kappa])
    # The largest first, and of equals the first.
    order = [int(r) for r in np.argsort(-np.where(varies, kappa, -np.inf), kind="stable") if varies[r]]
    found = answers(reduced, storage, correction, chosen, formats) if variance.known.any() else []
    bad = np.flatnonzero(~exact.finite).tolist()
    available = -math.log10(float(storage.unit_roundoff))
    best, advice = _advice(found, varies, kappa, storage, available, correction, len(bad))
    return Check(
        shape=tuple(int(extent) for extent in array.shape),
        layout=layout,
        norm=norm,
        groups=groups,
        storage=storage.name,
        how=how,
        correction=correction,
        rows=len(exact),
        values=int(exact.count[0]),
        nonfinite=len(bad),
        nonfinite_named=[_nonfinite(reduced, r, name(r)) for r in bad[:NAMED]],
        constant=int(np.count_nonzero(variance.known & ~varies)),
        undefined=int(np.count_nonzero(exact.count <= correction)),
        kappa_worst=float(kappa[varies].max()) if varies.any() else math.nan,
        kappa_median=float(np.median(kappa[varies])) if varies.any() else math.nan,
        worst=[
            RowFact(r, name(r), float(kappa[r]), decimal(answer))
            for r in order[:NAMED]
            if (answer := variance.values[r]) is not None
        ],
        available=available,
        answers=found,
        recommended=None if best is None else (best.algorithm, best.accumulator),
        advice=advice,
    )


def _advice(
    found: Sequence[Answer],
    varies: NDArray[np.bool_],
    kappa: NDArray[np.float64],
    storage: Format,
    available: float,
    correction: float,
    bad: int,
) -> tuple[Answer | None, str]:
    """The first answer that loses no more than MAY_LOSE digits on any row and gives no impossible variance; the
    one with the most digits where there is none."""
    if not found:
        if bad:
            return None, "No row is free of NaN and infinities: remove them first, no algorithm can."
        return None, f"No row has more than {correction:g} values: lower the correction."
    if not varies.any():
        best = min(found, key=lambda each: (each.failed, each.constant_worst))
        return best, (
            f"Every row is constant, so that its variance is 0: use {_name(best)}, whose largest answer is "
            f"{best.constant_worst:.3g}."
        )
    good = [each for each in found if not each.failed and each.digits_worst >= available - MAY_LOSE]
    best = good[0] if good else max(found, key=lambda each: (not each.failed, each.digits_worst))
    reason = f"it keeps {_kept(best, available)} on the worst row"
    if math.isfinite(best.digits_bound) and best.digits_bound >= 0:
        reason += f" (its bound guarantees {best.digits_bound:.1f})"
    naive = next((each for each in found if each.algorithm == "naive" and each.accumulator == best.accumulator), None)
    if naive is best:
        sentence = f"Use {_name(best)}: {reason}, since no condition number is above {kappa[varies].max():.3g}."
    elif naive is not None and not _same(naive, best):
        sentence = (
            f"Use {_name(best)}: {reason}, where {_name(naive)} keeps {_kept(naive, available)}"
            f"{_failures(naive)}, for condition numbers up to {kappa[varies].max():.3g}."
        )
    else:
        sentence = f"Use {_name(best)}: {reason}."
    wider = next((each for each in good if each.accumulator != best.accumulator), None)
    if wider is not None and best.algorithm != wider.algorithm:
        sentence += f" {_name(wider)[0].upper()}{_name(wider)[1:]} would do as well."
    if not good:
        sentence += f" None of those tried keeps {available - MAY_LOSE:.1f} digits on every row."
    return best, sentence


def _same(a: Answer, b: Answer) -> bool:
    return (a.algorithm, a.accumulator) == (b.algorithm, b.accumulator)


def _name(answer: Answer) -> str:
    return f"{answer.algorithm} accumulated in {answer.accumulator}"


def _kept(answer: Answer, available: float) -> str:
    if answer.digits_worst == math.inf:
        return f"all of {available:.1f} digits"
    if answer.digits_worst <= 0:
        return f"none of {available:.1f} digits"
    return f"{min(answer.digits_worst, available):.1f} of {available:.1f} digits"


def _failures(answer: Answer) -> str:
    counts = ((answer.negative, "negative"), (answer.nan, "NaN"), (answer.infinite, "infinite"))
    named = [f"{count} {what}" for count, what in counts if count]
    return f" and makes {' and '.join(named)} variances" if named else ""
