"""A worker process of a study, ``python -m varstudy.study.worker``: tasks come through its standard input."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from .._io.streams import open_closed_streams
from .pool import receive, send
from .tasks import compute, measure_beside, warm

__all__ = ["main"]

PERFORM: dict[str, Callable[..., None]] = {"beside": measure_beside, "cell": compute, "warm": warm}


def main() -> None:
    """Perform tasks until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    open_closed_streams()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    while True:
        try:
            index, task = receive(sys.stdin.buffer)
        except EOFError:
            return
        error: Any = None
        try:
            PERFORM[task[0]](*task[1:])
        except OSError as problem:
            error = problem
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
        try:
            send(answers, (index, error))
        except BrokenPipeError:
            return


if __name__ == "__main__":
    main()
