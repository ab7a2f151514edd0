"""Where this project keeps files of its own on a user's machine."""

from __future__ import annotations

import hashlib
import os
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["cache_folder", "source_hash", "user_cache_folder", "writable"]


def user_cache_folder() -> Path:
    """The folder of everything that can be made again: ``~/.cache/varstudy`` on Linux, or below XDG_CACHE_HOME.

    A relative XDG_CACHE_HOME is ignored, as the XDG Base Directory Specification, version 0.8, demands.
    """
    if "XDG_CACHE_HOME" in os.environ and not Path(os.environ["XDG_CACHE_HOME"]).is_absolute():
        return Path("~/.cache/varstudy").expanduser()
    return user_cache_path("varstudy", appauthor=False)


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
