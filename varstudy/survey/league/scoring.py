"""From a function's answers to its row: against exact truth, in the study's terms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import FORMATS

from ...study.ground_truth import truth
from ...study.score import Exact, Status, shown_digits, status_of
from ..callables.scorecard import lower_median
from ..callables.scoring import is_rounded
from .league_record import LeagueRow, number, shown
from .league_rows import Matrix

__all__ = ["Answers", "Exacts", "answer_text", "repeated", "score"]


@dataclass
class Answers:
    """What a function answered for one matrix: float64 values, NaN where it raised or answered null; which raised."""

    values: NDArray[np.float64]
    raised: NDArray[np.bool_]

    @classmethod
    def of(cls, given: Sequence[str | None]) -> Answers:
        """From the hexadecimal numbers, nulls and ``raised`` of a child.

        Raises
        ------
        ValueError
            One is none of these.
        """
        raised = np.array([v == "raised" for v in given], dtype=np.bool_)
        values = [math.nan if v is None or v == "raised" else float.fromhex(v) for v in given]
        return cls(np.array(values, dtype=np.float64), raised)


@dataclass
class Exacts:
    """The exact variances of the matrices, computed once for each matrix and correction."""

    matrices: Sequence[Matrix]
    kept: dict[tuple[str, int], tuple[Exact, NDArray[np.bool_]]] = field(default_factory=dict)
    truths: dict[str, Any] = field(default_factory=dict)

    def of(self, matrix: Matrix, correction: int) -> tuple[Exact, NDArray[np.bool_]]:
        """The exact variances of a matrix' rows, and which rows are of finite values."""
        key = (matrix.key, correction)
        if key not in self.kept:
            if matrix.key not in self.truths:
                self.truths[matrix.key] = truth(matrix.values[np.newaxis])
            moments = self.truths[matrix.key]
            self.kept[key] = (Exact.variance(moments, correction), moments.finite)
        return self.kept[key]


def score(row: LeagueRow, matrices: Sequence[Matrix], answers: Mapping[str, Answers], exacts: Exacts) -> LeagueRow:
    """Fill in a row from the answers for the matrices of its storage format; a matrix without is not tried."""
    storage = FORMATS[row.storage]
    worst, median, marks, by_case = [], [], [], []
    for k, matrix in enumerate(matrices):
        if matrix.key not in answers:
            worst.append(".")
            median.append(".")
            continue
        given = answers[matrix.key]
        exact, finite = exacts.of(matrix, row.correction)
        # What is out of the range of the storage format is not scored.
        known = exact.in_range(storage)
        errors = exact.errors(given.values)
        off = np.abs(errors[known])
        answered = given.values[known & ~given.raised]
        counts = {
            "neg": int(np.count_nonzero(answered < 0)),
            "nan": int(np.count_nonzero(np.isnan(answered))),
            "inf": int(np.count_nonzero(np.isinf(answered))),
            "raised": int(np.count_nonzero(given.raised & known)),
        }
        row.negative += counts["neg"]
        row.nan += counts["nan"]
        row.infinite += counts["inf"]
        row.raised += counts["raised"]
        row.missed += int(np.count_nonzero(~finite & np.isfinite(given.values) & ~given.raised))
        row.beyond_half_ulp += sum(
            not is_rounded(given.values[r], exact.values[r], row.storage) for r in np.flatnonzero(known)
        )
        kinds = " ".join(f"{kind} {count}" for kind, count in counts.items() if count)
        if kinds:
            marks.append(f"{k}:{kinds}")
        if not len(off):
            worst.append("-")
            median.append("-")
            continue
        row.cases += 1
        row.rows += len(off)
        ulps = exact.ulps(errors, storage)[known]
        row.error_worst = _larger(row.error_worst, float(off.max()))
        row.ulps_worst = _larger(row.ulps_worst, float(np.nanmax(ulps, initial=0.0)))
        # Judged as the record has it, in two digits.
        error = number(shown(float(off.max())))
        by_case.append(float(shown_digits(error, storage)))
        row.wrong += status_of(error, storage) is Status.WRONG or bool(counts["raised"])
        worst.append(shown(float(off.max())))
        median.append(shown(float(np.median(off))))
    row.digits_median = lower_median(by_case)
    row.worst, row.median, row.marks = " ".join(worst), " ".join(median), ";".join(marks)
    return row


def _larger(a: float, b: float) -> float:
    return b if math.isnan(a) else max(a, b)


def repeated(answers: Mapping[str, Sequence[Any]], others: Sequence[Mapping[str, Sequence[Any]]], none: str) -> str:
    """Whether other runs gave the same bits, or how many rows of one of them differ at most.

    Parameters
    ----------
    answers, others : the rows' answers by matrix, of the first run and of the other ones. none : where there are none.
    """
    counts = [
        sum(x != y for key in answers for x, y in zip(answers[key], other[key], strict=False))
        if answers.keys() == other.keys()
        else max(1, abs(len(answers) - len(other)))
        for other in others
    ]
    if not counts:
        return none
    return f"{max(counts)} rows differ" if max(counts) else "same bits"


def answer_text(answer: Mapping[str, Any]) -> str:
    """An answer of a child to a question, for people."""
    raised = str(answer["raised"])
    if raised.startswith("Fixed: "):
        return "no choice" if "no choice" in raised else "no default"
    if raised.startswith(("never answers", "ends the process")):
        return raised
    if raised:
        return f"raises {raised}"
    if answer["answer"] is None:
        return "null"
    value = float.fromhex(answer["answer"])
    return "NaN" if math.isnan(value) else f"{value:.15g}"
