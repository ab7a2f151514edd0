"""The league of variance functions: what the libraries that people use answer, on the study's rows.

observe -> infer -> compare: a child runs a library's functions in its own interpreter and writes down the bits
(`probes`); they are held against exact truth (`scoring`) and against our own algorithms (`infer`); and all stand in one
table (`ranking`). What was measured is committed in `data` (`record`).
"""

from __future__ import annotations

from .catalogue import FUNCTIONS, Function, chosen
from .league_record import Fact, LeagueProblem, Row, committed, read
from .measuring import League, measure
from .ranking import Standing, together

__all__ = [
    "FUNCTIONS",
    "Fact",
    "Function",
    "League",
    "LeagueProblem",
    "Row",
    "Standing",
    "chosen",
    "committed",
    "measure",
    "read",
    "together",
]
