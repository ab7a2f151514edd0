"""Isolated environments, each with one pinned set of packages."""

from __future__ import annotations

from .declaring import Environment, Interpreter, Need
from .installing import EnvironmentProblem, Installed, install, installed, interpreter

__all__ = [
    "Environment",
    "EnvironmentProblem",
    "Installed",
    "Interpreter",
    "Need",
    "install",
    "installed",
    "interpreter",
]
