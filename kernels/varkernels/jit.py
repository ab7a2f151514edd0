"""How kernels are compiled: no fastmath, no contraction, one cache folder for one version of the sources.

Numba looks only at a function's own file when it decides whether a cached machine code is stale; a formula
edited in another file would go unnoticed. So the cache folder is named after a hash of every source file of
this package and the versions of Python, numba, llvmlite and numpy. Each signature has a folder of its own in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from numba import njit
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import register_jitable

from .folders import cache_folder, writable
from .inlining import announce
from .kernel_cache import KernelCache

# Division as IEEE 754 has it; fastmath stays off: it would let LLVM reorder sums and contract products.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}

__all__ = ["OPTIONS", "Definition", "cached_njit", "compiled", "fresh_njit"]


def cached_njit(function: Callable[..., Any], signature: str) -> Any:
    """`function` compiled on first use and kept on disk; where no folder is writable, in this process only.

    signature : a word for the only signature that it will be compiled for, fit for a folder's name.
    """
    dispatcher = njit(**OPTIONS)(function)
    if writable():
        # What enable_caching() sets; numba has no other way to give a dispatcher a cache.
        dispatcher._cache = KernelCache(function, cache_folder() / signature)
    return dispatcher


def fresh_njit(function: Callable[..., Any]) -> Any:
    """`function` compiled in this process only: for code whose sources the cache's key does not know."""
    return njit(**OPTIONS)(function)


@dataclass(frozen=True)
class Definition:
    """What a kernel is compiled from.

    function, signature : Python, and Numba's types of its arguments.
    bound : its first arguments, the same at each call, which the kernel's caller does not give.
    """

    function: Callable[..., Any]
    signature: tuple[Any, ...]
    bound: tuple[Any, ...] = ()


def compiled(definition: Definition, name: str | None) -> Callable[..., Any]:
    """A kernel, kept on disk under its name; without a name, in this process only."""
    dispatcher = fresh_njit(definition.function) if name is None else cached_njit(definition.function, name)
    entry: Callable[..., Any] = dispatcher.compile(definition.signature)
    return partial(entry, *definition.bound) if definition.bound else entry


announce(register_jitable)
# A child forked while another thread compiles has nobody who gives numba's lock back: a fork waits for the compiler.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )
