"""Isolated environments, each with one pinned set of packages, and scripts run in them under limits."""

from __future__ import annotations

from .declaring import Environment, Need
from .installing import EnvironmentProblem, Installed, install, installed, interpreter
from .process import Outcome, run

__all__ = [
    "Environment",
    "EnvironmentProblem",
    "Installed",
    "Need",
    "Outcome",
    "install",
    "installed",
    "interpreter",
    "run",
]
