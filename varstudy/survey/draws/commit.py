"""Measures frameworks that are installed here into a file: ``python -m varstudy.survey.draws.commit``.

A framework that is measured replaces its rows in the file; all else stays.

    python -m varstudy.survey.draws.commit [--once] [--python PYTHON] [--file FILE] NAME...
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from ..merging import measure_into
from . import draws_record
from .measuring import measure, settings

__all__ = ["main"]


def _head() -> dict[str, Any]:
    return {"settings": settings()}


def main(words: Sequence[str] | None = None) -> int:
    """Measure and merge; the exit code."""
    return measure_into("varstudy.survey.draws.commit", words, draws_record, measure, _head)


if __name__ == "__main__":
    sys.exit(main())
