"""What a long measurement reports while it runs, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Forecast", "Progress", "Silent", "stepping"]


class Progress(Protocol):
    """Receives the steps of a measurement; a terminal shows them as a bar or as lines."""

    def start(self, total: int, done: int, phase: str = "", seconds: float = 0.0, later: float = 0.0) -> None:
        """The measurement begins, or its next phase: `total` steps, of which an earlier run has finished `done`.

        Parameters
        ----------
        phase : what is done, such as ``compiling``; by default the receiver's own word.
        seconds : what the steps that are left are expected to take together; 0 if nobody knows.
        later : what the phases after this one are expected to take.
        """

    def advance(self, label: str, seconds: float = 0.0) -> None:
        """One more step is finished; the label names it.

        Parameters
        ----------
        seconds : how many of the phase's seconds it was expected to take; by default as many as every other step.
        """

    def stop(self) -> None:
        """The measurement has ended, finished or not."""


class Silent:
    """A `Progress` that shows nothing."""

    def start(self, total: int, done: int, phase: str = "", seconds: float = 0.0, later: float = 0.0) -> None: ...

    def advance(self, label: str, seconds: float = 0.0) -> None: ...

    def stop(self) -> None: ...


class Forecast:
    """The share of a measurement that is finished, and the seconds that are left, by what was expected and by its pace.

    Parameters
    ----------
    clock : gives seconds.
    """

    # The expectation counts as much as a measured pace of this share of the phase.
    WEIGHT = 0.1

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._whole = self._ahead = self._later = self._finished = self._prior = 0.0
        self._each = 1.0
        self._began = self._last = 0.0

    def start(self, total: int, done: int, seconds: float = 0.0, later: float = 0.0) -> None:
        """A phase begins, as for `Progress.start`."""
        steps = total - done
        self._ahead = seconds or float(steps)
        self._each = self._ahead / steps if steps else 0.0
        self._later = later
        self._finished = 0.0
        self._prior = self.WEIGHT * seconds
        self._began = self._last = self._clock()
        if not self._whole:
            self._whole = self._ahead + later + (0.0 if seconds else float(done))

    def advance(self, seconds: float = 0.0) -> None:
        """A step is finished, as for `Progress.advance`."""
        taken = min(seconds or self._each, self._ahead)
        self._ahead -= taken
        self._finished += taken
        self._last = self._clock()

    @property
    def share(self) -> float:
        """From 0 to 1: of all phases together."""
        return 1.0 - min(1.0, (self._ahead + self._later) / self._whole) if self._whole else 1.0

    @property
    def left(self) -> float | None:
        """Seconds to the end of all phases; None while nobody knows."""
        weight = self._prior + self._finished
        if not weight:
            return None if self._ahead else self._later
        pace = (self._prior + self._last - self._began) / weight
        return max(0.0, self._ahead * pace - (self._clock() - self._last)) + self._later


@contextmanager
def stepping(progress: Progress | None, total: int) -> Iterator[Callable[[str], None]]:
    """Begin and end a measurement of `total` steps; it gives the function that takes each finished step's label."""
    shown = progress or Silent()
    shown.start(total, 0)
    try:
        yield shown.advance
    finally:
        shown.stop()
