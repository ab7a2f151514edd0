"""Helpers that become a part of the kernels that call them, known to Numba only once something is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["announce", "inline"]


class _Waiting:
    functions: list[Callable[..., Any]] = []
    register: Callable[..., Any] | None = None


def inline(function: Callable[..., Any]) -> Any:
    """A helper that kernels call: compiled as a part of its caller, an ordinary function in Python.

    Numba takes half a second to import, and a process that finds its kernels compiled never needs it.
    """
    if _Waiting.register is None:
        _Waiting.functions.append(function)
    else:
        _Waiting.register(function)
    return function


def announce(register: Callable[..., Any]) -> None:
    """Register the helpers that wait, and from now on each as it comes."""
    _Waiting.register = register
    while _Waiting.functions:
        register(_Waiting.functions.pop(0))
