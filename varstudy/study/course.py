"""How a study goes on: which cell comes next, how long it is expected to take, and when its page is drawn.

The seconds are those of one core of a virtual machine of 2023. They decide no record: the progress that is shown
follows them until the pace of the run is known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .cells import Cell

__all__ = ["COMPANION", "COMPILING", "PAGE", "Planned", "Redraw", "collecting", "in_order"]

# A cell, for each algorithm: whatever its size, and for each value that is read.
CELL = 8e-4
VALUE = {"float16": 1.2e-8, "bfloat16": 1.2e-8, "float32": 4.5e-9, "float64": 8e-9}
# A share of what there is to compile; the libraries that are installed; a page; a cell's part of the table.
COMPILING = 0.5
COMPANION = 10.0
PAGE = 7.0
COLLECTING = 0.015

# Cells come in the order of their cost up to so many seconds on one core: what the first page shows.
FIRST = 16.0


@dataclass(frozen=True)
class Planned:
    """A cell of a run.

    Attributes
    ----------
    cell : the case and the storage format.
    names : the algorithms that measure it, in the table's order.
    key : that of its file.
    """

    cell: Cell
    names: tuple[str, ...]
    key: str

    @property
    def seconds(self) -> float:
        """What it is expected to take on one core."""
        return len(self.names) * (CELL + VALUE[self.cell.storage] * self.cell.work)


def collecting(cells: int) -> float:
    """The seconds that the table of so many cells is expected to take."""
    return COLLECTING * cells


def in_order(planned: Sequence[Planned]) -> tuple[list[Planned], list[Planned]]:
    """The cells of a first page, the cheapest first; and the others, the longest first, so that all processes end at
    about the same time."""
    cheap = sorted(planned, key=lambda each: each.seconds)
    spent, count = 0.0, 0
    while count < len(cheap) and spent + cheap[count].seconds <= FIRST:
        spent += cheap[count].seconds
        count += 1
    return cheap[:count], cheap[count:][::-1]


class Redraw:
    """When the page of a study that goes on is drawn: so rarely that all but the first take a twentieth of the time.

    Parameters
    ----------
    processes : that measure; one of them draws. clock : gives seconds.
    """

    # The first has so many seconds of the run to show, and that share of its cells.
    BEGIN, CELLS = 8.0, 0.1
    SHARE = 0.05
    # Where no more seconds than these are left, the last page comes soon enough: so it is in the quick study.
    SOON = 20.0

    def __init__(self, processes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._processes, self._clock = processes, clock
        self._began = clock()
        self._next = self._began + self.BEGIN
        self._spent = 0.0

    def due(self, measured: float, left: float) -> bool:
        """Whether it is to be drawn now; if so, no other is until `drawn` is called.

        Parameters
        ----------
        measured : the share of the cells that are. left : seconds that the others are expected to take.
        """
        if measured < self.CELLS or left < self.SOON or self._clock() < self._next:
            return False
        self._next = float("inf")
        return True

    def drawn(self, seconds: float) -> None:
        """A drawing has ended that took so many seconds."""
        self._spent += seconds
        # The next one is expected to take as long as this one.
        self._next = self._began + (self._spent + seconds) / (self.SHARE * self._processes)
