"""One case of the study in detail: what it is, and each algorithm's answer next to the exact one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from varkernels.formats import FORMATS

from .algorithm_answers import Answer, accumulators_for, algorithms_for, answers, row_name
from .featuremaps import Case
from .measuring import reduction
from .score import held

__all__ = ["Explanation", "ExplanationPart", "explain"]


@dataclass(frozen=True)
class ExplanationPart:
    """The answers in one storage format.

    Attributes
    ----------
    storage, norm, correction : which.
    rows, values : how many rows, and values in each. nonfinite : rows with a NaN or an infinity.
    kappa_median, kappa_worst : the condition numbers achieved.
    available : the decimal digits that the storage format holds.
    answers : each algorithm's, on its own worst row.
    names : what the rows are that `answers` mention.
    """

    storage: str
    norm: str
    correction: float
    rows: int
    values: int
    nonfinite: int
    kappa_median: float
    kappa_worst: float
    available: float
    answers: list[Answer]
    names: dict[int, str]


@dataclass(frozen=True)
class Explanation:
    """A case, the seed of its values, and its parts."""

    case: Case
    seed: int
    parts: list[ExplanationPart]

    def record(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "case": {"name": self.case.name, **self.case.info()},
            "seed": self.seed,
            "parts": [asdict(part) for part in self.parts],
        }


def explain(
    case: Case,
    *,
    norm: str | None = None,
    storage: str | None = None,
    accumulator: str | None = None,
    correction: float | None = None,
    seed: int = 0,
    algorithms: Iterable[str] = (),
) -> Explanation:
    """Measure a case and keep the answers themselves.

    Parameters
    ----------
    case : as `varstudy.study.featuremaps.find` gives it.
    norm, correction : the case's first ones by default.
    storage : one of the case's formats; all of them by default.
    accumulator : the format of every operation; by default those of the study. Storage formats that it does not
        serve are left out.
    seed : of the random values.
    algorithms : names; by default those of `algorithm_answers.algorithms_for`.

    Raises
    ------
    ValueError
        The case is not defined for this norm or storage, an algorithm is unknown, or the accumulator serves none
        of the storage formats.
    """
    norm = norm or case.norms[0]
    if norm not in case.norms:
        raise ValueError(f"case {case.name!r} is not studied under norm {norm!r}: use {' or '.join(case.norms)}")
    storages = case.storages if storage is None else (storage,)
    if storage is not None and storage not in case.storages:
        raise ValueError(f"case {case.name!r} is not defined for storage {storage!r}: use {' or '.join(case.storages)}")
    subtract = case.corrections[0] if correction is None else float(correction)
    chosen = algorithms_for(algorithms)
    formats = {}
    for each in storages:
        try:
            formats[each] = accumulators_for(each, accumulator)
        except ValueError:
            if len(storages) == 1:
                raise
    if not formats:
        raise ValueError(f"accumulator {accumulator!r} serves none of {', '.join(storages)}: use a wider one")
    parts = []
    for each, wanted in formats.items():
        array = case.make(each, seed)
        reduced = reduction(
            array,
            norm,
            layout=case.layout,
            groups=case.groups,
            corrections=(subtract,),
            accumulators=wanted,
        )
        exact = reduced.truth
        kappa = np.array([float(k) for k in exact.kappa])[exact.finite]
        found = answers(reduced, FORMATS[each], subtract, chosen, wanted)
        parts.append(
            ExplanationPart(
                storage=each,
                norm=norm,
                correction=subtract,
                rows=len(exact),
                values=int(exact.count[0]),
                nonfinite=int(np.count_nonzero(~exact.finite)),
                kappa_median=float(np.median(kappa)) if len(kappa) else float("nan"),
                kappa_worst=float(kappa.max()) if len(kappa) else float("nan"),
                available=held(FORMATS[each]),
                answers=found,
                names={
                    a.row: row_name(a.row, array.shape, norm, case.layout, case.groups) for a in found if a.row >= 0
                },
            )
        )
    return Explanation(case, seed, parts)
