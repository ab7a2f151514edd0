"""A function on the rows of the study's feature maps, and our algorithms on the same rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels import Algorithm, views
from varkernels.formats import FORMATS
from varkernels.rounding import round_to, ulp
from varkernels.views import rows_of

from ..._io.matching import matches
from ..._io.progress import Progress, stepping
from ...study import featuremaps
from ...study.algorithm_answers import algorithms_for
from ...study.featuremaps import Case
from ...study.ground_truth import truth
from ...study.measuring import ACCUMULATORS, accumulators_of, moments_of, reduction
from ...study.score import Exact, Status, judge, shown_digits
from .calling import PROBES, Convention, argument, call, convention, text_of
from .lengths import wrong_lengths
from .scorecard import CaseScore, Scorecard, place, standing

__all__ = ["MAX_LENGTH", "MAX_ROWS", "score"]

# What a function in pure Python gets through in well under a minute.
MAX_LENGTH = 20_000
MAX_ROWS = 4


def score(
    function: Callable[..., Any],
    name: str,
    *,
    level: str = "default",
    only: str | None = None,
    storages: Sequence[str] | None = None,
    seed: int = 0,
    correction: int | None = None,
    max_length: int = MAX_LENGTH,
    max_rows: int = MAX_ROWS,
    progress: Progress | None = None,
) -> Scorecard:
    """Score a function on the rows of every case of a level, each row a flat array under the case's first norm.

    Parameters
    ----------
    function, name : the function and what to call it.
    level, only : which cases: a level, and a glob or a part of their names.
    storages : the formats to try; by default all but those whose arrays make it raise whatever their values.
    seed : of the random values.
    correction : as for `convention`.
    max_length : cases with longer rows are left out. max_rows : so many rows of each case are tried.
    progress : told of every finished case.

    Raises
    ------
    CallableProblem
        It cannot be called, or computes no variance.
    featuremaps.UnknownCase
        No case has such a name.
    ValueError
        The level or a storage is unknown, the seed negative, or nothing is left to score.
    """
    how = convention(function, name, correction)
    listed = featuremaps.cases(level, seed)
    chosen = [case for case in listed if only is None or matches(case.name, only)]
    if not chosen:
        featuremaps.find(only or "")
        raise featuremaps.UnknownCase(f"case {only!r} is not in the level {level}: try --full")
    left_out: dict[str, str] = {}
    shortened: dict[str, str] = {}
    if storages is None:
        storages, left_out = _served(function, how)
    work = []
    for case in chosen:
        if row_length(case) > max_length:
            left_out[case.name] = f"rows of {row_length(case)} values"
            continue
        work += [(case, storage) for storage in case.storages if storage in storages]
    if not work:
        raise ValueError(f"nothing is left to score of {len(chosen)} cases: raise --max-length or name other storages")
    wide = [storage for storage in ("float64", "float32") if storage in storages]
    lengths = wrong_lengths(function, how, FORMATS[wide[0]].dtype, max_length) if wide else ""
    algorithms = [each for each in algorithms_for() if not each.needs_centre]
    scores: list[CaseScore] = []
    rivals: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    with stepping(progress, len(work)) as finished:
        for case, storage in work:
            matrix, rows = row_matrix(case, case.make(storage, seed), max_rows)
            if rows > len(matrix):
                shortened[case.name] = f"{len(matrix)} of {rows} rows"
            found = _score(case, storage, function, how, matrix)
            scores.append(found)
            if found.rows:
                for algorithm, kind, worst, wrong in _rivals(storage, how.correction, matrix, algorithms):
                    rivals.setdefault((algorithm, kind), []).append((worst, wrong))
            finished(f"{case.name} {storage}")
    own = [(each.digits_worst, each.wrong) for each in scores if each.rows]
    ranking = [standing(name, "", own)]
    ranking += [standing(algorithm, kind, found) for (algorithm, kind), found in rivals.items()]
    ranking.sort(key=place)
    return Scorecard(name, how, seed, level, scores, ranking, lengths, left_out, shortened)


def row_length(case: Case) -> int:
    """Values in a row under the first norm; the case's rows are all equally long."""
    n, channels = case.shape[0], case.shape[3 if case.layout == "NHWC" else 1]
    return {
        "flat": case.elements,
        "layer": case.elements // n,
        "batch": case.elements // channels,
        "instance": case.elements // (n * channels),
        "group": case.elements // (n * (case.groups or 1)),
    }[case.norms[0]]


def _served(function: Callable[..., Any], how: Convention) -> tuple[list[str], dict[str, str]]:
    """The formats that the function takes at all, and for the others what it raises."""
    served, refused = [], {}
    for name, fmt in FORMATS.items():
        try:
            if how.takes != "list(x)":
                call(function, argument(np.array(PROBES[0][0]).astype(fmt.dtype), how.takes), **how.keywords)
            served.append(name)
        except (Exception, SystemExit) as error:
            refused[f"every case in {name}"] = f"it raises {text_of(error)}"
    return served, refused


def row_matrix(case: Case, array: NDArray[Any], max_rows: int) -> tuple[NDArray[Any], int]:
    """The first rows of a case under its first norm, one after the other; and how many there are in all."""
    norm = case.norms[0]
    view = views.view(array, norm, layout=case.layout, groups=case.groups if norm == "group" else None)
    four = rows_of(view)[0]
    blocks, segments, rows, length = four.shape
    each = four[: -(-max_rows // max(1, rows)), :, :max_rows]
    flat = each.transpose(0, 2, 1, 3).reshape(-1, segments * length)
    return np.ascontiguousarray(flat[:max_rows]), blocks * rows


def _score(case: Case, storage: str, function: Callable[..., Any], how: Convention, matrix: NDArray[Any]) -> CaseScore:
    computed = np.full(len(matrix), np.nan)
    raised: Counter[str] = Counter()
    failed = np.zeros(len(matrix), bool)
    for r, row in enumerate(matrix):
        try:
            computed[r] = call(function, argument(row, how.takes), **how.keywords)
        except (Exception, SystemExit) as error:
            failed[r] = True
            raised[text_of(error)] += 1
    exact_moments = truth(matrix[np.newaxis])
    exact = Exact.variance(exact_moments, how.correction)
    fmt = FORMATS[storage]
    judged = judge(exact, computed, fmt, fmt)
    known = judged.judged
    answered = computed[known & ~failed]
    return CaseScore(
        case=case.name,
        group=case.group,
        storage=storage,
        rows=int(np.count_nonzero(known)),
        values=matrix.shape[1],
        tally=judged.tally,
        digits_worst=judged.digits_worst,
        digits_median=float(np.median(shown_digits(judged.errors[known], fmt))) if known.any() else math.nan,
        beyond_half_ulp=sum(not is_rounded(computed[r], exact.values[r], storage) for r in np.flatnonzero(exact.known)),
        negative=int(np.count_nonzero(answered < 0)),
        nan=int(np.count_nonzero(np.isnan(answered))),
        infinite=int(np.count_nonzero(np.isinf(answered))),
        failures=int(np.count_nonzero(failed & known)),
        failure=raised.most_common(1)[0][0] if raised else "",
        nonfinite_missed=judged.tally.missed,
    )


def is_rounded(computed: float, exact: Fraction | None, storage: str) -> bool:
    """Whether a number is within half an ulp of the exact one, or as infinite as the nearest of the format."""
    if exact is None or not math.isfinite(computed):
        return exact is None or computed == float(round_to(exact, storage))
    return abs(Fraction(float(computed)) - exact) <= ulp(exact, storage) / 2


def _rivals(
    storage: str, correction: int, matrix: NDArray[Any], algorithms: Sequence[Algorithm]
) -> Iterator[tuple[str, str, float, bool]]:
    """(algorithm, accumulator, digits of the worst row, wrong) of our own on the same rows."""
    reduced = reduction(
        matrix, "layer", layout="NC", groups=None, corrections=(float(correction),), accumulators=ACCUMULATORS[storage]
    )
    exact = reduced.variance[float(correction)]
    for kind, which in (("storage's own", 0), ("wider", -1)):
        for algorithm in algorithms:
            # One that lacks some format stands in the ranking once, in the widest that it has for each storage.
            if kind == "wider" or set(FORMATS) <= set(algorithm.accumulators):
                formats = accumulators_of(algorithm, storage)
                if not formats:
                    continue  # it does not take this storage
                name = formats[which]
                variance = moments_of(reduced, algorithm, FORMATS[name])[1][float(correction)]
                found = judge(exact, variance, FORMATS[storage], FORMATS[storage])
                yield algorithm.name, kind, found.digits_worst, found.tally.status is Status.WRONG
