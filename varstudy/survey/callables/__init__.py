"""Any function that claims to compute a variance, scored on the study's feature maps next to our algorithms."""

from __future__ import annotations

from .calling import CallableProblem, Convention, convention
from .locating import resolve
from .scorecard import CaseScore, Scorecard, Standing
from .scoring import MAX_LENGTH, MAX_ROWS, score

__all__ = [
    "MAX_LENGTH",
    "MAX_ROWS",
    "CallableProblem",
    "CaseScore",
    "Convention",
    "Scorecard",
    "Standing",
    "convention",
    "resolve",
    "score",
]
