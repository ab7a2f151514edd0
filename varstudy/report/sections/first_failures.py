"""Where each failure starts: the smallest condition number and the shortest row at which an algorithm is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from varkernels import FORMATS

from ..figures.draw import FEW
from ..model.facts import FAILURES, Facts
from ..words import number, size

__all__ = ["Failures", "failures"]


@dataclass(frozen=True)
class Failures:
    """The table.

    Attributes
    ----------
    algorithms : the columns. lines : a property, a format, its number of maps, and class and text of each cell.
    """

    algorithms: tuple[str, ...]
    lines: tuple[tuple[str, str, int, tuple[tuple[str, str], ...]], ...]


def failures(facts: Facts) -> Failures | None:
    """A line for each format and property, accumulator = storage; None without a map of either sweep."""
    frame = facts.figures
    rows = frame[frame["own"] & frame["judged"] & frame["algorithm"].isin(FEW)]
    kappa = rows[(rows["group"] == "kappa-sweep") & (rows["family"] == "offset")]
    lengths = rows[rows["group"] == "growth"]
    names = tuple(name for name in FEW if (kappa["algorithm"] == name).any() or (lengths["algorithm"] == name).any())
    lines = tuple(
        (
            word, storage, int(mine["case"].nunique()),
            tuple(_cell(mine[mine["algorithm"] == name], column) for name in names),
        )
        for word, column, sweep in (("κ", "kappa_worst", kappa), ("N", "values", lengths))
        for storage in FORMATS
        if len(mine := sweep[sweep["storage"] == storage])
    )  # fmt: skip
    return Failures(names, lines) if lines else None


def _cell(rows: pd.DataFrame, column: str) -> tuple[str, str]:
    """Where the first wrong answer is, and what it is: a word, or a number without a correct digit."""
    if rows.empty:
        return "n", ""
    wrong = rows[rows["wrong"]]
    if wrong.empty:
        return "h", "none"
    first = wrong.sort_values(column, kind="stable").iloc[0]
    place = size(int(first[column])) if column == "values" else number(float(first[column]), 1)
    word = str(first["text"])
    return ("x", f"{place} {word}") if word in FAILURES else ("b", place)
