"""The compiled scheduler, which runs the threads of a kernel's blocks."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path

from .jit import Code
from .prelude import SCHEDULER

__all__ = ["scheduler"]


@cache
def _scheduler(folder: Path | None) -> tuple[Code, Callable[[int], int]]:
    code = Code(SCHEDULER, "run", folder)
    # A plain C function pointer through ctypes runs without the interpreter's lock.
    return code, ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(code.address)


def scheduler(folder: Path | None) -> Callable[[int], int]:
    """The scheduler as a function of the address of a run's state, compiled once in a process."""
    return _scheduler(folder)[1]
