"""worst.json: for each formula, order, format and length the rows with the largest error that a search has found.

Two goals: ``units``, the largest relative error of M2 in units of the unit roundoff u where kappa <= 2; and ``share``,
the largest share of the rigorous bound that an error takes, where kappa is at most `LARGEST_KAPPA`. No value comes near
underflow or overflow. A share above 1 would refute the bound.

The values are integers times a power of two, so that the file has the rows themselves. `replay` measures them again,
exactly. A new search replaces a row only by a worse one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from varkernels.algorithm import Algorithm, compose
from varkernels.dispatch import moments
from varkernels.formats import FORMATS, Format

from ..._io.record_file import Cells, RecordFile
from ..error_bounds import bounds, describe
from ..ground_truth import truth

__all__ = [
    "COMMITTED",
    "GOALS",
    "LARGEST_KAPPA",
    "MODERATE",
    "Cell",
    "Measured",
    "WorstProblem",
    "WorstRow",
    "committed",
    "measure",
    "read",
    "replay",
    "worse",
    "worst_inputs",
    "write",
]

COMMITTED = Path(__file__).parent / "worst.json"
GOALS = ("units", "share")
# Up to this condition number an error in units of u is the formula's own.
MODERATE = 2.0
# Beyond these condition numbers most bounds promise no digit.
LARGEST_KAPPA = {"float16": 30.0, "bfloat16": 8.0, "float32": 1e3, "float64": 1e3}


class WorstProblem(ValueError):
    """A file of worst rows that cannot be read: one sentence that says what to do."""


class Cell(NamedTuple):
    """What is searched: a formula in an order, with values and accumulator in one format, for rows of n values."""

    formula: str
    order: str
    format: str
    n: int

    @property
    def algorithm(self) -> Algorithm:
        """The formula in the order."""
        return compose(self.formula, self.order)

    @property
    def accumulator(self) -> Format:
        """The format of values and operations."""
        return FORMATS[self.format]


@dataclass
class WorstRow(Cells):
    """The worst row that is known of a cell, for one goal.

    Attributes
    ----------
    formula, order, format, n : the cell. goal : one of `GOALS`.
    method : ``climbing``, or ``all pairs`` where every pair of values whose magnitudes differ by less than 2^(p + 2)
        was tried, but for a common power of two and a common sign.
    units : |computed M2 - M2| / (u M2). share : the same error as a share of its bound, 0 where the bound is infinite.
    kappa : the condition number.
    exponent, values : the row is the values, integers joined by spaces, times 2^exponent.
    """

    formula: str
    order: str
    format: str
    n: int
    goal: str
    method: str
    units: float
    share: float
    kappa: float
    exponent: int
    values: str

    @property
    def cell(self) -> Cell:
        """The cell that it belongs to."""
        return Cell(self.formula, self.order, self.format, self.n)

    @property
    def size(self) -> float:
        """How bad it is by its goal."""
        return self.units if self.goal == "units" else self.share

    @property
    def fractions(self) -> list[Fraction]:
        """The values, exact."""
        return [int(word) * Fraction(2) ** self.exponent for word in self.values.split()]

    @property
    def array(self) -> NDArray[Any]:
        """The values in the format's dtype."""
        return FORMATS[self.format].rounded([float(value) for value in self.fractions])


class Measured(NamedTuple):
    """A row's error: in units of u, as a share of its bound (0 where that is infinite), and the condition number."""

    units: float
    share: float
    kappa: float


_FILE = RecordFile(
    "varstudy-worst-rows",
    1,
    "file of worst rows",
    "make it again with 'python -m varstudy worst --out'",
    {},
    WorstProblem,
    name=COMMITTED.name,
    row=WorstRow,
)


def read(path: str | Path) -> list[WorstRow]:
    """The rows of a file.

    Raises
    ------
    FileNotFoundError
        There is none.
    WorstProblem
        It is unreadable, has another version, or was modified.
    """
    return _FILE.rows(_FILE.read(path))


@lru_cache(maxsize=1)
def committed() -> tuple[WorstRow, ...]:
    """The rows that come with varstudy."""
    return tuple(read(COMMITTED))


def write(path: Path, rows: Iterable[WorstRow]) -> None:
    """Write rows into a file, sorted, whole or not at all.

    Raises
    ------
    OSError
        It cannot be written; what was there is left as it was.
    """
    ordered = sorted(rows, key=lambda row: (row.formula, row.order, row.format, row.n, row.goal))
    _FILE.write(path, {"rows": [row.record() for row in ordered]})


def worse(known: Iterable[WorstRow], found: Iterable[WorstRow]) -> list[WorstRow]:
    """The known rows, each replaced by one that was found for the same cell and goal if that is worse."""
    rows = {(row.cell, row.goal): row for row in known}
    for row in found:
        before = rows.get((row.cell, row.goal))
        if before is None or row.size > before.size:
            rows[row.cell, row.goal] = row
    return list(rows.values())


def measure(cell: Cell, array: NDArray[Any]) -> list[Measured]:
    """The exact errors of a cell's algorithm on rows.

    Parameters
    ----------
    cell : formula, order and format. array : (rows, n) of finite values of the format, not all equal in any row.
    """
    algorithm, fmt = cell.algorithm, cell.accumulator
    view = array[np.newaxis]
    exact = truth(view)
    # describe compares values, which numpy does in its own formats
    own = view if fmt.name in ("float32", "float64") else view.astype(np.float32)
    limits = bounds(algorithm, fmt, described := describe(exact, own)).m2
    answers = np.asarray(moments(view, algorithm, fmt).m2).astype(np.float64)
    found = []
    for r, (answer, limit) in enumerate(zip(answers.tolist(), limits.tolist(), strict=True)):
        sums = exact.sums[r]
        m2 = Fraction(sums.count * sums.s2 - sums.s1**2, sums.count) * Fraction(4) ** sums.exponent
        if not math.isfinite(answer):
            found.append(Measured(math.inf, math.inf if math.isfinite(limit) else 0.0, math.inf))
            continue
        error = abs(Fraction(answer) - m2)
        bound = Fraction(limit) * Fraction(4) ** int(described.k[r]) if math.isfinite(limit) else None
        kappa = math.sqrt(Fraction(sums.count * sums.s2, sums.count * sums.s2 - sums.s1**2))
        share = float(error / bound) if bound else 0.0
        found.append(Measured(float(error / m2 / fmt.unit_roundoff), share, kappa))
    return found


def replay(rows: Iterable[WorstRow]) -> list[tuple[WorstRow, Measured]]:
    """Rows, and what they measure now; the rows of one cell are measured together."""
    cells: dict[Cell, list[WorstRow]] = {}
    for row in rows:
        cells.setdefault(row.cell, []).append(row)
    found = []
    for cell, members in cells.items():
        array = np.stack([row.array for row in members])
        found += list(zip(members, measure(cell, array), strict=True))
    return found


def worst_inputs(
    fmt: str | None = None, goal: str | None = None, rows: Iterable[WorstRow] | None = None
) -> Mapping[str, NDArray[Any]]:
    """The worst known rows as arrays in their formats' dtypes, by names such as ``welford/running/float16/8/units``.

    Parameters
    ----------
    fmt : only rows of this format. goal : only rows of this goal. rows : in place of the committed ones.

    Examples
    --------
    >>> from varstudy.study.extremes.worst_rows import worst_inputs
    >>> worst_inputs("float16", "units")["welford/running/float16/8/units"].dtype
    dtype('float16')
    """
    return {
        "/".join((*map(str, row.cell), row.goal)): row.array
        for row in (committed() if rows is None else rows)
        if fmt in (None, row.format) and goal in (None, row.goal)
    }
