"""The arithmetic that every proof here is for: rounding to nearest, subnormal numbers kept.

A thread can be set to another one: fesetround in C, or flushing subnormal numbers to zero, as some libraries do for
speed (torch.set_flush_denormal). Kernels look; what finds it works in the default arithmetic, and restores the
thread's own.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

from .shipped import kernel

__all__ = ["default_arithmetic", "in_default_arithmetic", "set_default"]

P = ParamSpec("P")
R = TypeVar("R")

# More than any C library's fenv_t.
_ROOM = 512
# FE_DFL_ENV of the C libraries of Linux.
_DEFAULT = ctypes.c_void_p(-1)


@cache
def _kernel() -> Callable[[], bool]:
    found: Callable[[], bool] = kernel("arithmetic", "arithmetic_test")
    return found


@cache
def _functions() -> tuple[Any, Any] | None:
    try:
        library = ctypes.CDLL(None)
        return library.fegetenv, library.fesetenv
    except (OSError, TypeError, AttributeError):
        return None


def set_default() -> None:
    """Set this thread's arithmetic to the default one, where that can be done."""
    functions = _functions()
    if functions is not None:
        functions[1](_DEFAULT)


@contextmanager
def default_arithmetic() -> Iterator[None]:
    """The default arithmetic for this thread, and then its own again.

    Raises
    ------
    ArithmeticError
        The thread's arithmetic is another one, and cannot be set from here.
    """
    if _kernel()():
        yield
        return
    functions, own = _functions(), ctypes.create_string_buffer(_ROOM)
    if functions is not None:
        functions[0](own)
        set_default()
    if not _kernel()():
        raise ArithmeticError(
            "this thread's arithmetic does not round to nearest, or flushes subnormal numbers to zero: restore it"
        )
    try:
        yield
    finally:
        if functions is not None:
            functions[1](own)


def in_default_arithmetic(function: Callable[P, R]) -> Callable[P, R]:
    """A function that always works in the default arithmetic."""

    @wraps(function)
    def wrapped(*positional: P.args, **named: P.kwargs) -> R:
        if _kernel()():
            return function(*positional, **named)
        with default_arithmetic():
            return function(*positional, **named)

    return wrapped
