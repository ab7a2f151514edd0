"""Measures frameworks that are installed here into a file: ``python -m varstudy.survey.elements.commit``.

A framework that is measured replaces its rows in the file; all else stays.

    python -m varstudy.survey.elements.commit [--once] [--python PYTHON] [--file FILE] NAME...
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from ...study.gradient_orders import order_errors
from ..merging import measure_into
from . import elements_record
from .asking import inputs
from .measuring import measure, settings

__all__ = ["main"]


def _head() -> dict[str, Any]:
    return {
        "settings": settings(),
        "inputs": [each.record() for each in inputs()],
        "orders": [each.record() for each in order_errors()],
    }


def main(words: Sequence[str] | None = None) -> int:
    """Measure and merge; the exit code."""
    return measure_into("varstudy.survey.elements.commit", words, elements_record, measure, _head)


if __name__ == "__main__":
    sys.exit(main())
