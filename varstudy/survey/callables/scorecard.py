"""What was found of a function: its scores, and its place among our algorithms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from varkernels.htmltable import SHOWN, table

from ...study.score import Status, Tally
from .calling import Convention

__all__ = ["CaseScore", "Scorecard", "Standing", "lower_median", "place", "standing"]


@dataclass(frozen=True)
class CaseScore:
    """How the function does on one case in one storage format.

    Attributes
    ----------
    case, group, storage : which. rows, values : rows scored and values in each.
    tally : how many rows have each status of `varstudy.study.score`. The digits are of those with a status of right,
        inaccurate or wrong.
    digits_worst, digits_median : correct decimal digits, from 0 to what the storage format holds.
    beyond_half_ulp : rows off by more than half an ulp of the storage format: a correctly rounded answer never is, and
        is infinite where the exact one is beyond the format.
    negative, nan, infinite : variances that came out so.
    failures, failure : rows for which it raised, and the most frequent error's text.
    nonfinite_missed : rows with a NaN or an infinity for which it answers a finite number.
    """

    case: str
    group: str
    storage: str
    rows: int
    values: int
    tally: Tally
    digits_worst: float
    digits_median: float
    beyond_half_ulp: int
    negative: int
    nan: int
    infinite: int
    failures: int
    failure: str
    nonfinite_missed: int

    @property
    def wrong(self) -> bool:
        """Whether a row is wrong, or has no answer."""
        return self.tally.status is Status.WRONG or bool(self.failures)


@dataclass(frozen=True)
class Standing:
    """One line of the ranking.

    Attributes
    ----------
    name, accumulator : the function, or one of our algorithms and what it accumulates in.
    cases, wrong : how many were scored, and on how many it is wrong.
    digits_median : the median over the cases of the worst row's digits.
    """

    name: str
    accumulator: str
    cases: int
    wrong: int
    digits_median: float


@dataclass(frozen=True)
class Scorecard:
    """A function's scores, one a case and storage format, and where it stands among our algorithms.

    Attributes
    ----------
    name, convention : the function, and how it is called.
    seed, level : of the cases.
    scores : one a case and storage format.
    ranking : the function and our algorithms on the same rows, the best first.
    lengths : for which row lengths it is wrong on easy data, such as ``odd n``; empty where for none.
    left_out, shortened : cases, with the reason, that were not tried, or of which only some rows were.
    """

    name: str
    convention: Convention
    seed: int
    level: str
    scores: list[CaseScore]
    ranking: list[Standing]
    lengths: str = ""
    left_out: dict[str, str] = field(default_factory=dict)
    """What was not tried, and why."""
    shortened: dict[str, str] = field(default_factory=dict)
    """Cases of which only some rows were tried."""

    @property
    def rank(self) -> int:
        """Its place in the ranking, from 1; equal ones share the better place."""
        own = next(each for each in self.ranking if each.name == self.name and not each.accumulator)
        return self.place_of(own)

    def place_of(self, standing: Standing) -> int:
        """The place of one line of the ranking, from 1."""
        return 1 + sum(place(each) < place(standing) for each in self.ranking)

    def _repr_html_(self) -> str:
        """Its place among the first of the ranking as a table, for notebooks."""
        own = next(each for each in self.ranking if each.name == self.name and not each.accumulator)
        shown = self.ranking[:SHOWN] if own in self.ranking[:SHOWN] else [*self.ranking[:SHOWN], own]
        more = len(self.ranking) - len(shown)
        return table(
            f"{self.name}: place {self.rank} of {len(self.ranking)}, called as {self.convention}",
            ("place", "function or algorithm", "accumulator", "cases", "wrong", "digits, median of the worst rows"),
            [
                (self.place_of(each), each.name, each.accumulator, each.cases, each.wrong, _digits(each.digits_median))
                for each in shown
            ],
            more=f"and {more} more" if more else "",
            marked=[shown.index(own)],
        )

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
            "wrong_lengths": self.lengths,
            "ranking": [asdict(each) for each in self.ranking],
            "left_out": self.left_out,
            "shortened": self.shortened,
        }


def _digits(value: float) -> str:
    return {math.inf: "exact", -math.inf: "none"}.get(value, f"{value:.1f}")


def place(standing: Standing) -> tuple[int, float]:
    """What the ranking is sorted by: the fewest wrong cases, then the most digits."""
    return standing.wrong, -standing.digits_median


def standing(name: str, accumulator: str, found: Sequence[tuple[float, bool]]) -> Standing:
    """The line of a function of which `found` has each case's worst digits, and whether they are wrong."""
    middle = lower_median([worst for worst, _ in found])
    return Standing(name, accumulator, len(found), sum(wrong for _, wrong in found), middle)


def lower_median(values: Sequence[float]) -> float:
    """The median, of two middle ones the lower: there is nothing between an exact answer and an inexact one."""
    return sorted(values)[(len(values) - 1) // 2] if values else math.nan
