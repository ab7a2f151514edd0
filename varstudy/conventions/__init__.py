"""What the frameworks' normalisation layers do: observed, inferred, and laid beside their documentation."""

from __future__ import annotations

from .frameworks import FRAMEWORKS, Framework, find
from .measure import probe
from .record import Row, committed

__all__ = ["FRAMEWORKS", "Framework", "Row", "committed", "find", "probe"]
