"""Any function that claims to compute a variance, scored on the study's feature maps beside our algorithms."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import math
import pkgutil
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels import Algorithm
from varkernels.formats import FORMATS
from varkernels.run import rows_of

from . import featuremaps, reductions
from .check import algorithms_for
from .console import Reporter, matches
from .featuremaps import Case
from .measure import ACCUMULATORS, moments_of, reduction
from .score import Exact, digits
from .truth import truth

__all__ = [
    "MAX_LENGTH",
    "MAX_ROWS",
    "CallableProblem",
    "CaseScore",
    "Convention",
    "Scorecard",
    "Standing",
    "convention",
    "resolve",
    "score",
]

# What a function in pure Python gets through in well under a minute.
MAX_LENGTH = 20_000
MAX_ROWS = 4

# Small data whose moments are whole numbers: values, population variance, sample variance.
_PROBES = (((0.0, 0.0, 0.0, 4.0), 3, 4), ((0.0,) * 7 + (8.0,), 7, 8), ((1.0, 3.0), 1, 2))


class CallableProblem(ValueError):
    """The function cannot be scored: one sentence that names it and says what to do."""


# ---------------------------------------------------------------------------------------- finding the function


def resolve(spec: str) -> Callable[..., Any]:
    """The function called ``module:function``; the part after the colon may have dots.

    Raises
    ------
    CallableProblem
        There is no colon, no such module or attribute, its import fails, or it cannot be called.
    """
    module, colon, path = spec.partition(":")
    if not (colon and module and path):
        raise CallableProblem(f"{spec!r} does not name a function: write MODULE:FUNCTION, such as numpy:var")
    try:
        with contextlib.redirect_stdout(sys.stderr):
            found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            known = {*sys.stdlib_module_names, *(each.name for each in pkgutil.iter_modules())}
            hint = _near(module, sorted(known), "install it, or run in the folder that holds it")
            raise CallableProblem(f"module {module!r} is unknown: {hint}") from error
        raise CallableProblem(f"module {module!r} needs {error.name!r}, which is not installed: install it") from error
    except (Exception, SystemExit) as error:
        raise CallableProblem(f"module {module!r} cannot be imported ({_text(error)}): mend it first") from error
    name = module
    for part in path.split("."):
        if not hasattr(found, part):
            names = [each for each in dir(found) if not each.startswith("_")]
            hint = _near(part, names, "check its name")
            raise CallableProblem(f"{name} has no {part!r}: {hint}")
        found, name = getattr(found, part), f"{name}.{part}"
    if not callable(found):
        raise CallableProblem(f"{spec!r} is a {type(found).__name__}, not a function: name something callable")
    return found  # type: ignore[no-any-return]


def _near(name: str, known: Sequence[str], fallback: str) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else fallback


def _text(error: BaseException) -> str:
    """An exception in one short line."""
    words = " ".join(str(error).split())
    shown = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return shown if len(shown) <= 160 else shown[:157] + "..."


# --------------------------------------------------------------------------------------------- calling it


@dataclass(frozen=True)
class Convention:
    """How a function is called, and which divisor it then uses.

    Attributes
    ----------
    keyword : ``ddof`` or ``correction`` where it takes the correction so, else empty.
    correction : what the variance is scored with: the divisor is count - correction.
    as_list : whether it takes lists of floats only, no arrays.
    note : how this was found out, a sentence.
    """

    keyword: str
    correction: int
    as_list: bool
    note: str

    def __str__(self) -> str:
        values = "list(x)" if self.as_list else "x"
        return f"f({values}, {self.keyword}={self.correction})" if self.keyword else f"f({values})"


def _call(function: Callable[..., Any], values: Any, **keywords: Any) -> float:
    """What the function answers, as a float. Its warnings and its printing are kept from the user."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        answer = function(values, **keywords)
        if isinstance(answer, (complex, np.complexfloating, str, bytes, type(None))) or np.ndim(answer) > 1:
            raise TypeError(f"it answers {type(answer).__name__}, not a number")
        if isinstance(answer, (np.ndarray, list, tuple)):
            if np.size(answer) != 1:
                raise TypeError(f"it answers {np.size(answer)} numbers, not one")
            answer = np.asarray(answer).reshape(-1)[0]
        return float(answer)


def _agrees(value: float, wanted: float) -> bool:
    return math.isclose(value, wanted, rel_tol=1e-6)


def _probe(function: Callable[..., Any], as_list: bool, **keywords: Any) -> int | float | str | None:
    """The correction that the function uses on the small data (0 or 1), else what it answers to the first of them,
    or what it raises."""
    seen = set()
    first = math.nan
    for k, (values, population, sample) in enumerate(_PROBES):
        try:
            answer = _call(function, list(values) if as_list else np.array(values), **keywords)
        except (Exception, SystemExit) as error:
            return _text(error)
        first = answer if not k else first
        seen.add(0 if _agrees(answer, population) else 1 if _agrees(answer, sample) else None)
    if len(seen) == 1 and None not in seen:
        return seen.pop()
    return float(first)


def convention(function: Callable[..., Any], name: str, correction: int | None = None) -> Convention:
    """How to call a function, found out on small data whose variances are whole numbers.

    Tried in this order: the keyword ddof, the keyword correction, no keyword; each with an array, then with a list.
    A keyword counts only if the answer follows it.

    Parameters
    ----------
    function, name : the function and what to call it in messages.
    correction : 0 or 1 where that is wanted; by default 0 where the function can, else what it does.

    Raises
    ------
    CallableProblem
        It raises, its answers are no variances, or it cannot have this correction.
    """
    told: list[int | float | str | None] = []
    for as_list in (False, True):
        for keyword in ("ddof", "correction"):
            if all(_probe(function, as_list, **{keyword: wanted}) == wanted for wanted in (0, 1)):
                return Convention(
                    keyword,
                    correction or 0,
                    as_list,
                    f"It follows the keyword {keyword}: the divisor is n - {keyword}.",
                )
        plain = _probe(function, as_list)
        told.append(plain)
        if isinstance(plain, int):
            if correction not in (None, plain):
                raise CallableProblem(
                    f"{name} has the divisor {_divisor(plain)} and takes no correction: leave out --correction"
                )
            kind = "the sample variance (Bessel's correction)" if plain else "the population variance"
            return Convention("", plain, as_list, f"Without a keyword it divides by {_divisor(plain)}: {kind}.")
    answer = next((each for each in told if isinstance(each, float)), None)
    if answer is None:
        raise CallableProblem(f"{name} cannot be called with an array or a list of floats ({told[0]}): wrap it")
    looks = ""
    if any(_agrees(answer * answer, known) for known in (3, 4)):
        looks = ", like a standard deviation"
    elif _agrees(answer, 12):
        looks = ", the sum of squared deviations"
    raise CallableProblem(
        f"{name} computes no variance: for 0, 0, 0, 4 it gives {answer:.6g}{looks}, and not 3 or 4; wrap it in "
        "a function that does"
    )


def _divisor(correction: int) -> str:
    return "n - 1" if correction else "n"


# --------------------------------------------------------------------------------------------- scoring it


@dataclass(frozen=True)
class CaseScore:
    """How the function does on one case in one storage format.

    Attributes
    ----------
    case, group, storage : which. rows, values : rows scored and values in each.
    digits_worst, digits_median : correct decimal digits; inf: exact, -inf: no number, or not 0 where 0 is exact.
    negative, nan, infinite : variances that came out so.
    failures : rows for which it raised; `failure` is the most frequent text.
    nonfinite_missed : rows with a NaN or an infinity for which it answers a finite number.
    """

    case: str
    group: str
    storage: str
    rows: int
    values: int
    digits_worst: float
    digits_median: float
    negative: int
    nan: int
    infinite: int
    failures: int
    failure: str
    nonfinite_missed: int

    @property
    def wrong(self) -> bool:
        """Whether the worst row has no correct digit, or no answer."""
        return not self.digits_worst > 0 or bool(self.negative or self.failures)


@dataclass(frozen=True)
class Standing:
    """One line of the ranking: a function, on how many cases it is wrong, and its median over the cases of the
    worst row's digits."""

    name: str
    accumulator: str
    cases: int
    wrong: int
    digits_median: float


@dataclass(frozen=True)
class Scorecard:
    """A function's scores, one a case and storage format, and where it stands among our algorithms."""

    name: str
    convention: Convention
    seed: int
    level: str
    scores: list[CaseScore]
    ranking: list[Standing]
    left_out: dict[str, str] = field(default_factory=dict)
    """What was not tried, and why."""
    shortened: dict[str, str] = field(default_factory=dict)
    """Cases of which only some rows were tried."""

    @property
    def rank(self) -> int:
        """Its place in the ranking, from 1; equal ones share the better place."""
        own = next(each for each in self.ranking if each.name == self.name and not each.accumulator)
        return 1 + sum(_place(each) < _place(own) for each in self.ranking)

    def record(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "function": self.name,
            "call": str(self.convention),
            "convention": asdict(self.convention),
            "level": self.level,
            "seed": self.seed,
            "rank": self.rank,
            "of": len(self.ranking),
            "scores": [asdict(each) for each in self.scores],
            "ranking": [asdict(each) for each in self.ranking],
            "left_out": self.left_out,
            "shortened": self.shortened,
        }


def _place(standing: Standing) -> tuple[int, float]:
    return standing.wrong, -standing.digits_median


def _matrix(case: Case, array: NDArray[Any], max_rows: int) -> tuple[NDArray[Any], int]:
    """The first rows of a case under its first norm, one after the other; and how many there are in all."""
    norm = case.norms[0]
    view = reductions.view(array, norm, layout=case.layout, groups=case.groups if norm == "group" else None)
    four = rows_of(view)[0]
    blocks, segments, rows, length = four.shape
    each = four[: -(-max_rows // max(1, rows)), :, :max_rows]
    flat = each.transpose(0, 2, 1, 3).reshape(-1, segments * length)
    return np.ascontiguousarray(flat[:max_rows]), blocks * rows


def _length(case: Case) -> int:
    """Values in a row under the first norm; the case's rows are all equally long."""
    n, channels = case.shape[0], case.shape[3 if case.layout == "NHWC" else 1]
    return {
        "flat": case.elements,
        "layer": case.elements // n,
        "batch": case.elements // channels,
        "instance": case.elements // (n * channels),
        "group": case.elements // (n * (case.groups or 1)),
    }[case.norms[0]]


def _score(case: Case, storage: str, function: Callable[..., Any], how: Convention, matrix: NDArray[Any]) -> CaseScore:
    keywords = {how.keyword: how.correction} if how.keyword else {}
    computed = np.full(len(matrix), np.nan)
    raised: Counter[str] = Counter()
    failed = np.zeros(len(matrix), bool)
    for r, row in enumerate(matrix):
        values: Any = row.astype(np.float64).tolist() if how.as_list else row.copy()
        try:
            computed[r] = _call(function, values, **keywords)
        except (Exception, SystemExit) as error:
            failed[r] = True
            raised[_text(error)] += 1
    exact_moments = truth(matrix[np.newaxis])
    exact = Exact.variance(exact_moments, how.correction)
    known = exact.known
    off = np.abs(exact.errors(computed)[known])
    answered = computed[known & ~failed]
    missed = ~exact_moments.finite & np.isfinite(computed) & ~failed
    return CaseScore(
        case=case.name,
        group=case.group,
        storage=storage,
        rows=int(np.count_nonzero(known)),
        values=matrix.shape[1],
        digits_worst=float(digits(off.max())) if len(off) else math.nan,
        digits_median=float(digits(np.median(off))) if len(off) else math.nan,
        negative=int(np.count_nonzero(answered < 0)),
        nan=int(np.count_nonzero(np.isnan(answered))),
        infinite=int(np.count_nonzero(np.isinf(answered))),
        failures=int(np.count_nonzero(failed & known)),
        failure=raised.most_common(1)[0][0] if raised else "",
        nonfinite_missed=int(np.count_nonzero(missed)),
    )


def _rivals(
    storage: str, correction: int, matrix: NDArray[Any], algorithms: Sequence[Algorithm]
) -> Iterator[tuple[str, str, float, bool]]:
    """(algorithm, accumulator, digits of the worst row, wrong) of our own on the same rows."""
    formats = ACCUMULATORS[storage]
    reduced = reduction(
        matrix, "layer", layout="NC", groups=None, corrections=(float(correction),), accumulators=formats
    )
    exact = reduced.variance[float(correction)]
    for kind, name in (("storage's own", formats[0]), ("wider", formats[-1])):
        for algorithm in algorithms:
            if name in algorithm.accumulators:
                variance = moments_of(reduced, algorithm, FORMATS[name])[1][float(correction)]
                worst = float(digits(np.abs(exact.errors(variance)[exact.known]).max()))
                yield algorithm.name, kind, worst, not worst > 0 or bool((variance[exact.known] < 0).any())


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
    progress: Reporter | None = None,
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
        if _length(case) > max_length:
            left_out[case.name] = f"rows of {_length(case)} values"
            continue
        work += [(case, storage) for storage in case.storages if storage in storages]
    if not work:
        raise ValueError(f"nothing is left to score of {len(chosen)} cases: raise --max-length or name other storages")
    algorithms = [each for each in algorithms_for() if not each.needs_centre]
    scores: list[CaseScore] = []
    rivals: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    if progress is not None:
        progress.start(len(work), 0)
    try:
        for case, storage in work:
            matrix, rows = _matrix(case, case.make(storage, seed), max_rows)
            if rows > len(matrix):
                shortened[case.name] = f"{len(matrix)} of {rows} rows"
            found = _score(case, storage, function, how, matrix)
            scores.append(found)
            if found.rows:
                for algorithm, kind, worst, wrong in _rivals(storage, how.correction, matrix, algorithms):
                    rivals.setdefault((algorithm, kind), []).append((worst, wrong))
            if progress is not None:
                progress.advance(f"{case.name} {storage}")
    finally:
        if progress is not None:
            progress.stop()
    own = [(each.digits_worst, each.wrong) for each in scores if each.rows]
    ranking = [_standing(name, "", own)]
    ranking += [_standing(algorithm, kind, found) for (algorithm, kind), found in rivals.items()]
    ranking.sort(key=_place)
    return Scorecard(name, how, seed, level, scores, ranking, left_out, shortened)


def _served(function: Callable[..., Any], how: Convention) -> tuple[list[str], dict[str, str]]:
    """The formats that the function takes at all, and for the others what it raises."""
    keywords = {how.keyword: how.correction} if how.keyword else {}
    served, refused = [], {}
    for name, fmt in FORMATS.items():
        try:
            if not how.as_list:
                _call(function, np.array(_PROBES[0][0]).astype(fmt.dtype), **keywords)
            served.append(name)
        except (Exception, SystemExit) as error:
            refused[f"every case in {name}"] = f"it raises {_text(error)}"
    return served, refused


def _standing(name: str, accumulator: str, found: Sequence[tuple[float, bool]]) -> Standing:
    middle = _median([worst for worst, _ in found])
    return Standing(name, accumulator, len(found), sum(wrong for _, wrong in found), middle)


def _median(values: Sequence[float]) -> float:
    """The median, of two middle ones the lower: there is nothing between an exact answer and an inexact one."""
    return sorted(values)[(len(values) - 1) // 2] if values else math.nan
