"""Which algorithm and which formats one given array needs: a verdict in one line, and why.

The statuses come from `score`, the choice of algorithm from `recommendation`: that of the study's maps joined with the
array itself, so that a verdict and the report follow one rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.algorithm import Algorithm
from varkernels.formats import format_of
from varkernels.stats.columns import column_of, columns_of
from varkernels.stats.inputs import array_of

from . import verdict_words
from .algorithm_answers import Answer, accumulators_for, algorithms_for, answers, decimal
from .array_files.conversion import converted
from .measuring import Reduction, reduction
from .population import Measurement, Population, committed, summarise
from .recommendation import Choice, preferred, recommend
from .score import held
from .verdict_facts import EpsilonFacts, RangeFacts, epsilon_facts, range_facts, rows_of_norm

__all__ = ["RowFact", "Verdict", "check"]

# Rows that are named one by one.
NAMED = 5
# The name of the array among the study's maps.
HERE = "this array"


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
class Verdict:
    """What to use for an array; `str` gives the answer and the reasons, `record` all of it as plain data.

    Attributes
    ----------
    answer : what to do, one or two sentences. reasons : why, a sentence or two each.
    shape, layout, norm, groups, storage, how, correction, epsilon : what was checked; `how` says how it was converted.
    assumed : whether the layout follows from the number of axes.
    rows, values : how many rows the norm makes, and the values in each.
    nonfinite, nonfinite_named : rows with NaN or infinities, and the first of them with what they hold.
    constant, undefined : rows with exact variance 0; rows whose count is not above the correction.
    kappa_worst, kappa_median : condition numbers of the rows that vary; NaN where none does.
    worst : the worst-conditioned rows. available : the decimal digits that the storage format holds.
    range : how the exact variances lie in the storage format. epsilon_facts : what epsilon is next to them.
    answers : what each algorithm answers.
    recommended : algorithm and accumulator; None where there is nothing to compute, or none is safe.
    choices : the recommendation by accumulator; None where its range is too small, or nothing is known.
    """

    answer: str
    reasons: list[str]
    shape: tuple[int, ...]
    layout: str
    assumed: bool
    norm: str
    groups: int | None
    storage: str
    how: str
    correction: float
    epsilon: float | None
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
    range: RangeFacts
    epsilon_facts: EpsilonFacts | None
    answers: list[Answer] = field(repr=False)
    recommended: tuple[str, str] | None
    choices: dict[str, Choice | None] = field(repr=False)

    def __str__(self) -> str:
        return "\n".join([self.answer, *(f"- {reason}" for reason in self.reasons)])

    def record(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)


def check(
    x: Any,
    norm: str = "flat",
    *,
    layout: str | None = None,
    groups: int | None = None,
    correction: float = 0.0,
    epsilon: float | None = None,
    accumulator: str | None = None,
    algorithms: Iterable[str] = (),
    how: str = "",
    population: Population | None = None,
) -> Verdict:
    """Say which algorithm and which formats an array needs, and why.

    Parameters
    ----------
    x : array of floats, integers or bool of any shape; a nested list; a tensor or anything else with `__array__` or
        `__dlpack__`; a pandas Series or DataFrame.
    norm, groups : which values share a variance, as for `varstudy.view`; layer norm of ``NLC`` is over the channels
        of each position, as in a transformer.
    layout : what the axes are, as for `varstudy.view`; by default ``NC``, ``NLC``, ``NCHW`` or ``NCDHW`` by their
        number.
    correction : the variance is M2 / (count - correction).
    epsilon : what is added to the variance under the root; by default 1e-5 is compared where there is a norm.
    accumulator : the format of every operation; by default the array's own and the next wider one are tried.
    algorithms : names of those whose answers are shown; the verdict does not depend on them.
    how : how the array was made from what the user gave, for the reasons.
    population : the measurements that the recommendation starts from; by default those of the default study.

    Returns
    -------
    `Verdict`.

    Raises
    ------
    ValueError
        The array has no values or masked ones; the norm, the layout, the groups, an algorithm or the accumulator does
        not fit; the correction is not finite, or epsilon is negative or not finite.
    TypeError
        The dtype has no variance here.
    """
    array, how = _values(x, how)
    storage = format_of(array.dtype)
    if not math.isfinite(correction):
        raise ValueError(f"correction={correction!r}: give a finite number, such as 0 or 1")
    if epsilon is not None and not 0 <= epsilon < math.inf:
        raise ValueError(f"epsilon={epsilon!r}: give a number from 0 up, such as 1e-5")
    names = list(algorithms)
    correction = float(correction)
    rows = rows_of_norm(array, norm, layout, groups)
    formats = accumulators_for(storage.name, accumulator)
    shown = algorithms_for(names)
    known = {each.name: each for each in (*algorithms_for(), *shown)}
    reduced = reduction(
        rows.array, norm, layout=rows.view_layout, groups=groups, corrections=(correction,), accumulators=formats
    )
    exact, variance = reduced.truth, reduced.variance[correction]
    varies = variance.known & (variance.rounded != 0)
    found = answers(reduced, storage, correction, list(known.values()), formats) if variance.known.any() else []
    spread = range_facts(reduced, storage, correction, rows)
    compared = epsilon if epsilon is not None else None if norm == "flat" else verdict_words.USUAL_EPSILON
    of_epsilon = None if compared is None else epsilon_facts(compared, epsilon is not None, variance, storage)
    kappa = np.array([float(k) for k in exact.kappa])
    # The largest first, and of equals the first.
    order = [int(r) for r in np.argsort(-np.where(varies, kappa, -np.inf), kind="stable") if varies[r]]
    bad = np.flatnonzero(~exact.finite).tolist()
    everything: dict[str, Any] = {
        "shape": tuple(int(extent) for extent in array.shape),
        "layout": rows.layout,
        "assumed": rows.assumed,
        "norm": norm,
        "groups": groups,
        "storage": storage.name,
        "how": how,
        "correction": correction,
        "epsilon": epsilon,
        "rows": len(exact),
        "values": int(exact.count[0]),
        "nonfinite": len(bad),
        "nonfinite_named": [_nonfinite(reduced, r, rows.name(r)) for r in bad[:NAMED]],
        "constant": int(np.count_nonzero(variance.known & ~varies)),
        "undefined": int(np.count_nonzero(exact.count <= correction)),
        "kappa_worst": float(kappa[varies].max()) if varies.any() else math.nan,
        "kappa_median": float(np.median(kappa[varies])) if varies.any() else math.nan,
        "worst": [
            RowFact(r, rows.name(r), float(kappa[r]), decimal(answer))
            for r in order[:NAMED]
            if (answer := variance.values[r]) is not None
        ],
        "available": held(storage),
        "range": spread,
        "epsilon_facts": of_epsilon,
        "answers": [each for each in found if each.algorithm in {one.name for one in shown}],
    }
    choices = (
        _choices(found, everything, spread, known, committed() if population is None else population, formats)
        if found
        else {}
    )
    choice = preferred(choices) if everything["values"] > 1 else None
    recommended = (choice.cheapest.algorithm, choice.accumulator) if choice and choice.cheapest else None
    text, reasons = verdict_words.sentences(everything, found, choices, recommended, rows)
    return Verdict(**everything, answer=text, reasons=reasons, recommended=recommended, choices=choices)


def _values(x: Any, how: str) -> tuple[NDArray[Any], str]:
    """The values in one of the four storage formats, and how they got there."""
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        raise ValueError("x has masked values: give x.compressed(), or fill them")
    column, columns = column_of(x), columns_of(x)
    if column is not None:
        x = column.with_nan()
    elif columns:
        x = np.stack([each.with_nan() for each in columns], axis=1)
    array = array_of(x)
    if array.size == 0:
        raise ValueError(f"the array has shape {array.shape} and so no values: give one without zero-size axes")
    loaded = converted(array, None, "x")
    return loaded.array, how or loaded.how


def _nonfinite(reduced: Reduction, row: int, name: str) -> str:
    exact = reduced.truth
    counts = (("NaN", exact.nan), ("+inf", exact.posinf), ("-inf", exact.neginf))
    return f"{name}: " + ", ".join(f"{int(count[row])} {what}" for what, count in counts if count[row])


def _choices(
    found: Sequence[Answer],
    facts: dict[str, Any],
    spread: RangeFacts,
    known: dict[str, Algorithm],
    population: Population,
    formats: Sequence[str],
) -> dict[str, Choice | None]:
    """The recommendation by accumulator, for the study's maps and this array; None where the array leaves its range."""
    kappa = math.inf if math.isnan(facts["kappa_worst"]) else facts["kappa_worst"]
    own = summarise(
        Measurement(
            HERE,
            each.algorithm,
            facts["storage"],
            each.accumulator,
            facts["values"],
            each.error_worst,
            kappa,
            each.tally,
            spread.squares_overflow.get(each.accumulator, 0),
            each.negative,
        )
        for each in found
    )
    joined = population.joined(own)
    return {
        name: recommend(joined, facts["storage"], name, facts["values"], known) if spread.fits(name) else None
        for name in formats
    }
