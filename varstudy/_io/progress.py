"""What a long measurement reports while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Progress", "stepping"]


class Progress(Protocol):
    """Receives the steps of a measurement; a terminal shows them as a bar or as lines."""

    def start(self, total: int, done: int) -> None:
        """The measurement begins: `total` steps, of which an earlier run has finished `done`."""

    def advance(self, label: str) -> None:
        """One more step is finished; the label names it."""

    def stop(self) -> None:
        """The measurement has ended, finished or not."""


@contextmanager
def stepping(progress: Progress | None, total: int) -> Iterator[Callable[[str], None]]:
    """Begin and end a measurement of `total` steps; it gives the function that takes each finished step's label."""
    if progress is None:
        yield lambda label: None
        return
    progress.start(total, 0)
    try:
        yield progress.advance
    finally:
        progress.stop()
