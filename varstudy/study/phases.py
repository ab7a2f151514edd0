"""What the processes of a run do, one phase after the other: compile kernels, then measure cells.

Between two cells one of them draws the page of what is measured so far, where that is due.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .._io.progress import Progress
from . import course
from .course import Planned, Redraw
from .pool import Perform, Task
from .tasks import LONG, Companion, Drawn, Page, Sketch, accompany, compute, described, draw, load_page, shares, warm

__all__ = ["Phases"]


@dataclass
class Phases:
    """Compile and measure.

    Attributes
    ----------
    planned, missing : all cells of the study in the table's order; those that are to be measured.
    processes : how many measure; where it is one, that is this one.
    seed, folder, target : of the values; of the finished cells; of the page.
    page, sketch : what draws the page, and what it gets, without a finished cell yet; None where none is drawn.
    companion, scratch : what one of several processes measures too, and the folder of its temporary files.
    later : the seconds that the phases after these are expected to take.
    asked : whether the user has interrupted the run.
    """

    planned: Sequence[Planned]
    missing: Sequence[Planned]
    processes: int
    seed: int
    folder: Path
    target: Path
    page: Page | None
    sketch: Sketch
    companion: Companion | None
    scratch: Path
    progress: Progress
    later: float
    asked: threading.Event
    say: Callable[[str], None]
    _finished: set[str] = field(default_factory=set)
    _beside: tuple[Any, str] = (None, "")

    def run(self, perform: Perform) -> tuple[Any, str]:
        """Do it all; the companion's answer, or None and why there is none.

        Parameters
        ----------
        perform : has the processes do tasks.

        Raises
        ------
        KeyboardInterrupt
            It was interrupted.
        """
        self._finished = {each.key for each in self.planned} - {each.key for each in self.missing}
        redraw = Redraw(self.processes)
        self._compile(perform)
        self._measure(perform, redraw)
        return self._beside

    @property
    def _seconds(self) -> float:
        """What the missing cells are expected to take, and the companion."""
        alone = sum(each.seconds for each in self.missing if each.key not in self._finished)
        return (alone + (course.COMPANION if self.companion is not None else 0.0)) / self.processes

    def _compile(self, perform: Perform) -> None:
        cells = [each.cell for each in self.missing]
        names = tuple(dict.fromkeys(name for each in self.missing for name in each.names))
        needed = shares(cells, names)
        if not needed:
            return
        values = min(LONG, max(cell.case.elements for cell in cells))
        expected = course.COMPILING * len(needed) / self.processes
        self.progress.start(len(needed), 0, "compiling", expected, self._seconds + self.later)
        for index, _ in perform((warm, kernel, (fmt,), names, values) for kernel, fmt in needed):
            self._advance(described(needed[index]))

    def _measure(self, perform: Perform, redraw: Redraw) -> None:
        total, done, seconds = len(self.planned), len(self.planned) - len(self.missing), self._seconds
        self.progress.start(total, done, "measuring", seconds, self.later)
        given: list[Planned | None] = []
        for index, answer in perform(self._tasks(redraw, given)):
            each = given[index]
            if each is not None:
                self._finished.add(each.key)
                self._advance(each.cell.label, each.seconds / self.processes)
            elif isinstance(answer, Drawn):
                redraw.drawn(answer.seconds)
                if answer.problem:
                    self.say(f"the report of what is measured so far could not be drawn: {answer.problem}")
            elif isinstance(answer, tuple):
                self._beside = answer

    def _tasks(self, redraw: Redraw, given: list[Planned | None]) -> Iterator[Task]:
        """The tasks of `_measure`, each made when a process is idle; `given` gets the cell of each, or None."""
        cheap, long = course.in_order(self.missing)
        for each in (*cheap, None, *long):
            if each is None:
                if self.companion is not None:
                    given.append(None)
                    yield accompany, self.companion, self.seed, self.scratch
                continue
            measured = len(self._finished) / len(self.planned)
            if self.page is not None and redraw.due(measured, self._seconds):
                given.append(None)
                finished = tuple(other for other in self.planned if other.key in self._finished)
                yield draw, self.page, replace(self.sketch, finished=finished), self.folder, self.target
            given.append(each)
            yield compute, each.cell, self.seed, each.names, self.folder, each.key
        # While others measure the last cells: the page is drawn by all of them.
        if self.page is not None and self.processes > 1:
            for _ in range(self.processes):
                given.append(None)
                yield load_page, self.page

    def _advance(self, label: str, seconds: float = 0.0) -> None:
        self.progress.advance(label, seconds)
        if self.asked.is_set():
            raise KeyboardInterrupt
