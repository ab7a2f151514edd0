"""Where this project keeps files of its own on a user's machine."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["user_cache_folder"]


def user_cache_folder() -> Path:
    """The folder of everything that can be made again: ``~/.cache/varstudy`` on Linux, or below XDG_CACHE_HOME.

    A relative XDG_CACHE_HOME is ignored, as the XDG Base Directory Specification, version 0.8, demands.
    """
    if "XDG_CACHE_HOME" in os.environ and not Path(os.environ["XDG_CACHE_HOME"]).is_absolute():
        return Path("~/.cache/varstudy").expanduser()
    return user_cache_path("varstudy", appauthor=False)
