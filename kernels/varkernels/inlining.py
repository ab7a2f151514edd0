"""Helpers that become a part of the kernels that call them, known to Numba only once something is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["announce", "inline"]


class _Helpers:
    """Those that wait, and what registers one, as soon as there is something that does."""

    def __init__(self) -> None:
        self.waiting: list[Callable[..., Any]] = []
        self.register: Callable[..., Any] | None = None


_HELPERS = _Helpers()


def inline(function: Callable[..., Any]) -> Any:
    """A helper that kernels call: compiled as a part of its caller, an ordinary function in Python.

    Numba takes half a second to import, and a process that finds its kernels compiled never needs it.
    """
    if _HELPERS.register is None:
        _HELPERS.waiting.append(function)
    else:
        _HELPERS.register(function)
    return function


def announce(register: Callable[..., Any]) -> None:
    """Register the helpers that wait, and from now on each as it comes."""
    _HELPERS.register = register
    while _HELPERS.waiting:
        register(_HELPERS.waiting.pop(0))
