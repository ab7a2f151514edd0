"""Scripts that give a layer a short row of the league that it gets wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..league.layers import LayerFact
from ..league.league_record import CaseResult
from .exact_values import divisor
from .finding import NoScript
from .function_script import short_rows
from .layer_script import Known, dividing, keeping, law_of, literal

__all__ = ["laid_out"]

# Of what a row is divided by, squared, its variance is at least so much: epsilon hides less.
SHOWN = 0.99


def laid_out(rows: Known, fact: LayerFact, cases: Sequence[CaseResult]) -> list[str]:
    """The script of the first case with a row whose variance the outputs show.

    Raises
    ------
    NoScript
        There is none that is short enough.
    """
    law = law_of(rows, fact.framework, fact.kind, fact.variant)
    left = list(cases)
    while left:
        case, given, exact = short_rows(left, law.correction)
        wide = [row.astype(np.float64) for row in given]
        kept = [
            row
            for row, value in zip(wide, exact, strict=True)
            if value and math.isfinite(value)
            and value >= SHOWN * divisor(row, law.correction, law.epsilon, law.place, False) ** 2
        ]  # fmt: skip
        if kept:
            table = np.array(kept + kept[: len(kept) % 2])
            lines = [f'table = numpy.array([{", ".join(literal(row) for row in table)}], "float32")']
            return dividing(fact.framework, fact.kind, fact.variant, law, (lines, table, "float32"))
        if not any(exact):
            table = np.array(wide + wide[: len(wide) % 2])
            lines = [f'table = numpy.array([{", ".join(literal(row) for row in table)}], "float32")']
            return keeping(fact.framework, fact.kind, fact.variant, table, lines)
        left = left[left.index(case) + 1 :]
    raise NoScript("no short script: its rows are long, or have no spread")
