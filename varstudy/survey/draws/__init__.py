"""How far off a layer's variance is, as a distribution: many rows, three sizes, six means.

A figure from one draw at one size says little: torch's batch norm in channels-last memory loses 1e-5 of the variance at
one size and a hundred times the variance at another. The error is that of the variance which the outputs imply, the one
that the conventions' accuracy is about (`varstudy.survey.inference`): whole outputs of 64 million values are not
scored against exact ones. What is asked (`asking`), how a framework is asked and its outputs are read (`measuring`),
what is kept (`draws_record`, the file draws.json), and what it shows (`summary`).
``python -m varstudy.survey.draws.commit NAME...`` measures frameworks into the committed file.
"""

from __future__ import annotations

from .draws_record import (
    COMMITTED,
    NAME,
    DrawFact,
    DrawProblem,
    DrawRow,
    DrawStatus,
    committed,
    facts,
    read,
    rows,
    write,
)
from .measuring import measure
from .summary import Growth, GrowthOf, figure, growths, read_off, split, worst_rows

__all__ = [
    "COMMITTED",
    "NAME",
    "DrawFact",
    "DrawProblem",
    "DrawRow",
    "DrawStatus",
    "Growth",
    "GrowthOf",
    "committed",
    "facts",
    "figure",
    "growths",
    "measure",
    "read",
    "read_off",
    "rows",
    "split",
    "worst_rows",
    "write",
]
