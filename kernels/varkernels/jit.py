"""How kernels are compiled: no fastmath, no contraction, one cache folder for one version of the sources.

Numba looks only at a function's own file when it decides whether a cached machine code is stale; a formula
edited in another file would go unnoticed. So the cache folder is named after a hash of every source file of
this package and the versions of Python, numba, llvmlite and numpy. Each signature has a folder of its own in it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import register_jitable

from .folders import user_cache_folder
from .kernel_cache import KernelCache

# Division as IEEE 754 has it; fastmath stays off: it would let LLVM reorder sums and contract products.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}

__all__ = ["OPTIONS", "cache_folder", "cached_njit", "fresh_njit", "inline", "source_hash", "writable"]


@cache
def source_hash() -> str:
    """Sixteen hexadecimal digits that change when a source file of this package or the compiler does."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    for name in ("numba", "llvmlite", "numpy"):
        digest.update(f"{name}=={version(name)}".encode())
    digest.update(sys.version.encode())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where compiled kernels are kept: under NUMBA_CACHE_DIR where set, else in the user's cache folder."""
    base = os.environ.get("NUMBA_CACHE_DIR")
    if base:
        return Path(base) / f"varkernels-{source_hash()}"
    return user_cache_folder() / f"kernels-{source_hash()}"


def writable() -> bool:
    """Whether compiled kernels can be kept on disk."""
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(cache_folder(), os.W_OK)


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


def inline(function: Callable[..., Any]) -> Any:
    """A helper that verbs call: compiled as a part of its caller, an ordinary function in Python."""
    return register_jitable(function)


# A child forked while another thread compiles has nobody who gives numba's lock back: a fork waits for the compiler.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )
