"""Files that a process reads once, as long as they stay what they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import TypeVar

__all__ = ["once"]

T = TypeVar("T")


def once(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """A function of a file that reads it again only where it is another, or was written since.

    Its answers are shared: nobody changes them. What it raises is not kept.

    Parameters
    ----------
    read : reads the file. What it answers depends on nothing else.
    """

    @lru_cache(maxsize=1)
    def kept(path: Path, time: int, size: int) -> T:
        return read(path)

    @wraps(read)
    def answer(path: Path) -> T:
        try:
            found = path.stat()
        except OSError:
            return read(path)
        return kept(path, found.st_mtime_ns, found.st_size)

    return answer
