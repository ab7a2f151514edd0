"""What the frameworks' normalisation layers do: observed, inferred, and compared with their documentation."""

from __future__ import annotations

from ..frameworks.catalogue import FRAMEWORKS, Framework, find
from .measured import FindingRow, committed

__all__ = ["FRAMEWORKS", "FindingRow", "Framework", "committed", "find"]
