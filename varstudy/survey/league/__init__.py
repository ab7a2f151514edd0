"""The league of variance functions: what the libraries that people use answer, on the study's rows.

A child runs a library's functions in its own interpreter and writes down the bits of their answers
(`varstudy.survey.probes`). They are compared with the exact variances (`scoring`) and with our own algorithms
(`identifying`), and all of them are ranked in one table (`ranking`). The committed results are in ``data``
(`league_record`).
"""

from __future__ import annotations

from ..libraries.catalogue import FUNCTIONS, Function, chosen
from .league_record import LeagueFact, LeagueProblem, LeagueRow, committed, read
from .measuring import League, measure
from .ranking import LeagueStanding, together

__all__ = [
    "FUNCTIONS",
    "Function",
    "League",
    "LeagueFact",
    "LeagueProblem",
    "LeagueRow",
    "LeagueStanding",
    "chosen",
    "committed",
    "measure",
    "read",
    "together",
]
