"""The systems by their names: the modules of `kinds`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from . import kinds
from .system import System

__all__ = ["SYSTEMS"]

_NAMES = sorted(path.stem for path in Path(kinds.__path__[0]).glob("[a-z]*.py"))
SYSTEMS: dict[str, System] = {name: import_module(f"{kinds.__name__}.{name}").SYSTEM for name in _NAMES}
