"""What a long measurement reports while it runs."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress"]


class Progress(Protocol):
    """Receives the steps of a measurement; a terminal shows them as a bar or as lines."""

    def start(self, total: int, done: int) -> None:
        """The measurement begins: `total` steps, of which an earlier run has finished `done`."""

    def advance(self, label: str) -> None:
        """One more step is finished; the label names it."""

    def stop(self) -> None:
        """The measurement has ended, finished or not."""
