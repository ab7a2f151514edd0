"""How many threads `exact` may use. One by default: a library that is called must not surprise.

The answers have the same bits for any number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from .arithmetic import set_default

__all__ = ["get_threads", "run_all", "set_threads"]

T = TypeVar("T")
R = TypeVar("R")

VARIABLE = "VARKERNELS_NUM_THREADS"
# Values below which a second thread costs more than it saves.
WORTHWHILE = 1 << 21


class _Limit:
    threads: int | None = None


def set_threads(threads: object) -> None:
    """Let `exact` use that many threads on large arrays (from 2^21 values up), in this process.

    Parameters
    ----------
    threads : an int of 1 or more, none of numpy's; or None: as many as the environment says.

    Raises
    ------
    ValueError
        It is neither None nor a whole number of 1 or more.
    """
    if threads is None:
        _Limit.threads = None
        return
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ValueError(f"threads={threads!r}: give a whole number, 1 or more")
    _Limit.threads = threads


def get_threads() -> int:
    """How many threads may be used: what `set_threads` has set, else the environment's VARKERNELS_NUM_THREADS, else 1.

    Raises
    ------
    ValueError
        The environment's is no whole number of 1 or more.
    """
    if _Limit.threads is None:
        text = os.environ.get(VARIABLE, "1")
        if not text.isascii() or not text.isdecimal() or int(text) < 1:
            raise ValueError(f"{VARIABLE}={text!r}: give a whole number, 1 or more")
        _Limit.threads = int(text)
    return _Limit.threads


def run_all(function: Callable[[T], R], tasks: Iterable[T], threads: int) -> list[R]:
    """The function of each task, in the tasks' order, by that many threads. The function must release the GIL."""
    listed = list(tasks)
    if threads < 2 or len(listed) < 2:
        return [function(task) for task in listed]
    return list(_pool(threads).map(function, listed))


def _forget() -> None:
    """After a fork the child has none of the pools' threads."""
    _pool.cache_clear()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads that wait for work: starting some for every call would cost more than a megabyte's variance."""
    return ThreadPoolExecutor(threads, thread_name_prefix="varkernels", initializer=set_default)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
