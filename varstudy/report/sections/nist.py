"""NIST's reference data: what storing them costs, and what each algorithm does to the stored values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from ...study.results import reproduce
from ..figures.draw import KNOWN
from ..model.facts import Column, Facts
from ..rendering import sentence
from ..words import clean, digits, number, percent, source_link
from .wide_tables import kappa

__all__ = ["NistLine", "references"]


@dataclass(frozen=True)
class NistLine:
    """A line of NIST's table."""

    name: Markup
    again: str
    storage: str
    kappa: str
    exact: str
    stored: str
    stored_digits: str
    cells: tuple[tuple[str, str], ...]


def references(facts: Facts) -> tuple[tuple[str, ...], tuple[NistLine, ...], Markup | None]:
    """Names of algorithms, a line for each data set and storage (accumulator = storage), and what they show."""
    frame = facts.figures
    rows = frame[(frame["group"] == "nist") & frame["own"]]
    names = tuple(n for n in (*KNOWN, "double_double") if (rows["algorithm"] == n).any())
    columns = [Column(name, "", "") for name in names]
    cells = facts.cells(rows, columns)
    made = []
    for _, line in rows[rows["algorithm"].isin(names)].groupby("line", sort=False):
        first = line.iloc[0]
        stored = float(first["storage_error"])
        made.append(
            NistLine(
                source_link(
                    facts.info(str(first["case"])).get("source", ""),
                    clean(first["case"]).removeprefix("nist/"),
                ),
                clean(reproduce(str(first["case"]), facts.seed)),
                str(first["storage"]),
                kappa(float(first["kappa_worst"])),
                number(float(first["exact"]), 6),
                "–" if np.isnan(stored) else percent(stored) if 0.001 < stored < 10 else number(stored, 2),
                _log_digits(stored),
                tuple(cells[int(first["line"])]),
            )
        )
    known = rows[np.isfinite(rows["storage_error"]) & (rows["storage_error"] > 0) & rows["scored"]]
    note = None
    if len(known):
        worse = known[known["storage_error"] > known["var_error_worst"]]
        place = known.loc[known["storage_error"].idxmax()]
        error = float(place["storage_error"])
        note = sentence("stored", place=place, error=error, worse=len(worse), known=len(known))
    return names, tuple(made), note


def _log_digits(error: float) -> str:
    return "–" if np.isnan(error) else "exact" if error == 0 else digits(float(-np.log10(error)))
