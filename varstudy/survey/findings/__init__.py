"""What the frameworks' normalisation layers do: observed, inferred, and laid beside their documentation."""

from __future__ import annotations

from ..frameworks.catalogue import FRAMEWORKS, Framework, find
from .measured import Row, committed

__all__ = ["FRAMEWORKS", "Framework", "Row", "committed", "find"]
