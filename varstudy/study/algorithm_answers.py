"""What each algorithm answers on the rows of an array: measured against exact truth, and by bound.

Relative errors are taken over the rows whose exact variance is above zero. On constant rows, where it is zero, the
computed variance itself is the error; it is reported apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

import varkernels
from varkernels import Algorithm
from varkernels.formats import FORMATS, Format
from varkernels.layouts import Layout

from .error_bounds import bounds, variance_bound
from .measuring import ACCUMULATORS, Reduction, moments_of
from .population import LENGTHS, committed
from .recommendation import by_cost, recommend
from .score import Status, Tally, digits, judge

__all__ = ["Answer", "accumulators_for", "algorithms_for", "answers", "decimal", "row_name"]


def decimal(value: Fraction, places: int = 20) -> str:
    """A rational number in decimal, correctly rounded to that many significant digits."""
    context = Context(prec=places, Emin=-999999, Emax=999999)
    return str(context.divide(Decimal(value.numerator), Decimal(value.denominator)).normalize(context))


def algorithms_for(names: Iterable[str] = ()) -> list[Algorithm]:
    """The algorithms of these names; without names a choice, the cheapest first, and those of other packages.

    The choice is what people know by a name of its own and needs no centre, and what `recommend` names anywhere.

    Raises
    ------
    ValueError
        A name is unknown.
    """
    wanted = list(names)
    if wanted:
        return [varkernels.get(name) for name in wanted]
    return [*_chosen(), *(found for found in varkernels.algorithms().values() if not found.builtin)]


@cache
def _chosen() -> tuple[Algorithm, ...]:
    known = {name: found for name, found in varkernels.algorithms().items() if found.builtin}
    chosen = {name for name, found in known.items() if "/" not in name and not found.needs_centre}
    found = committed()
    for pair in found.pairs():
        for length in LENGTHS:
            choice = recommend(found, *pair, length, known)
            if choice is not None:
                picks = (choice.cheapest, choice.runner_up, choice.accurate)
                chosen |= {pick.algorithm for pick in picks if pick is not None}
    return tuple(by_cost(known[name] for name in chosen))


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
    channels = shape[Layout(layout).channel_axis]
    return f"sample {row // channels}, channel {row % channels}"


@dataclass(frozen=True)
class Answer:
    """How one algorithm does on the rows of an array.

    Attributes
    ----------
    algorithm, accumulator : which.
    tally : how many rows have each status.
    error_worst : the largest relative error of a row that has an exact variance, constant ones among them.
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
    tally: Tally
    error_worst: float
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
        """Whether a row is wrong, or misses a NaN."""
        return self.tally.status is Status.WRONG


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
        tally=judge(exact, variance, storage, fmt, errors).tally,
        error_worst=float(error[exact.known].max()) if exact.known.any() else math.nan,
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
