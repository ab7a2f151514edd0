"""Where this project keeps what can be made again."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["user_folder"]


def user_folder() -> Path:
    """The project's folder in the user's cache: in XDG_CACHE_HOME where that is absolute, else in ~/.cache.

    XDG Base Directory Specification 0.8: a relative path is to be ignored.
    """
    base = os.environ.get("XDG_CACHE_HOME") or ""
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "varstudy"
