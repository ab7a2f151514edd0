"""Local response normalisation in the frameworks: what is measured, what is documented, and the errors.

`inferring` finds a framework's formula from outputs on designed inputs, `measuring` asks for them, `read_sources` has
what was read in sources, and `response_record` is the file response.json. ``python -m varstudy.survey.response.commit
NAME...`` measures frameworks into the committed file.
"""

from __future__ import annotations

from .read_sources import DocumentedResponse, documented
from .response_record import COMMITTED, ResponseRow, ResponseScore, committed, rows, scores

__all__ = [
    "COMMITTED",
    "DocumentedResponse",
    "ResponseRow",
    "ResponseScore",
    "committed",
    "documented",
    "rows",
    "scores",
]
