"""NIST's reference data: what storing them costs, and what each algorithm does to the stored values."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from ...study.results import reproduce
from ..figures.draw import KNOWN
from ..model.facts import Column, Facts
from ..rendering import sentence
from ..words import clean, digits, number, percent, source_link
from .wide_tables import kappa

__all__ = ["references"]


def references(facts: Facts) -> tuple[tuple[str, ...], list[dict[str, Any]], Markup | None]:
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
            {
                "name": source_link(
                    facts.info(str(first["case"])).get("source", ""), clean(first["case"]).removeprefix("nist/")
                ),
                "again": clean(reproduce(str(first["case"]), facts.seed)),
                "storage": str(first["storage"]),
                "kappa": kappa(float(first["kappa_worst"])),
                "exact": number(float(first["exact"]), 6),
                "stored": "–" if np.isnan(stored) else percent(stored) if 0.001 < stored < 10 else number(stored, 2),
                "stored_digits": "–"
                if np.isnan(stored)
                else "exact"
                if stored == 0
                else digits(float(-np.log10(stored))),
                "cells": cells[int(first["line"])],
            }
        )
    scored = rows[rows["scored"]]
    known = scored[np.isfinite(scored["storage_error"]) & (scored["storage_error"] > 0)]
    note = None
    if len(known):
        worse = known[known["storage_error"] > known["var_error_worst"]]
        place = known.loc[known["storage_error"].idxmax()]
        error = float(place["storage_error"])
        note = sentence("stored", place=place, error=error, worse=len(worse), known=len(known), all=len(scored))
    return names, made, note
