"""What each algorithm would lose on one given array, and which one to use for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import varkernels
from varkernels.formats import Format

from .algorithm_answers import Answer, accumulators_for, algorithms_for, answers, decimal, row_name
from .measuring import Reduction, reduction

__all__ = ["Check", "RowFact", "check"]

# An algorithm is good enough if its worst row loses no more than this many of the format's decimal digits.
MAY_LOSE = 1.0
# Rows that are named one by one.
NAMED = 5


@dataclass(frozen=True)
class RowFact:
    """A row worth naming.

    Attributes
    ----------
    row, what : its index, and what it is in the array, such as ``sample 3, group 1``.
    kappa : its condition number.
    exact : its exact variance in decimal.
    """

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
    nonfinite : rows with a NaN or an infinity, which have no variance. nonfinite_named : the first of them, in words.
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
    algorithms : names; by default those of `answers.CHOSEN`.
    how : how the array was made from what the user gave, for the answer.

    Returns
    -------
    `Check`: all that was found, and which algorithm to use.

    Raises
    ------
    ValueError
        The array has no values; the norm, the layout, the groups, an algorithm or the accumulator does not fit; or the
        correction is not finite.
    TypeError
        The dtype is not one of the four.
    """
    storage = varkernels.format_of(array.dtype)
    if array.size == 0:
        raise ValueError(f"the array has shape {array.shape} and so no values: give one without zero-size axes")
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
