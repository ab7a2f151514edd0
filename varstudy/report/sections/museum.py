"""The museum: what the algorithms answer on inputs of reported bugs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...study.results import reproduce
from ..model.facts import FAILURES, Facts
from ..model.summary import first_choice, museum_tally
from ..words import cell_digits, clean, number, source_link

__all__ = ["Museum", "exhibition"]

MUSEUM = ("naive", "two_pass", "welford", "pairwise", "chan", "double_double")


@dataclass(frozen=True)
class Museum:
    """The museum's table: which algorithms, how many cases each gets wrong, and the lines.

    A line has ``cells``: class, computed, digits, and the exact variance where it differs from the first algorithm's.
    """

    algorithms: tuple[str, ...]
    tally: dict[str, tuple[int, int]]
    exhibits: list[dict[str, Any]]


def exhibition(facts: Facts) -> Museum:
    """What the algorithms people know, and the recommended one, answer on the reported bugs."""
    frame = facts.figures
    rows = frame[(frame["group"] == "museum") & frame["own"]]
    choice = first_choice(facts)
    best = choice.cheapest.algorithm if choice and choice.cheapest else MUSEUM[0]
    wanted = [*MUSEUM, *([best] if best not in MUSEUM else [])]
    names = [name for name in wanted if (rows["algorithm"] == name).any()]
    exhibits = []
    for _, line in rows[rows["algorithm"].isin(names)].groupby("line", sort=False):
        first = line.iloc[0]
        info = facts.info(str(first["case"]))
        mine = {str(row["algorithm"]): row for _, row in line.iterrows()}
        exact = float(first["exact"])
        cells = []
        for name in names:
            row = mine.get(name)
            if row is None:
                cells.append(("n", "", "", ""))
                continue
            other = float(row["exact"])
            same = other == exact or (np.isnan(other) and np.isnan(exact))
            computed = number(float(row["computed"]), 5) if row["rows_scored"] else ""
            cells.append((str(row["css"]), computed, _shown(row), "" if same else f"exact {number(other, 5)}"))
        setting = [str(first["storage"])]
        if first["norm"] != "flat":
            setting.append(f"{first['norm']} norm")
        if first["correction"]:
            setting.append(f"n−{first['correction']:g}")
        exhibits.append(
            {
                "case": source_link(info.get("source", ""), clean(first["case"]).removeprefix("museum/")),
                "observed": clean(info.get("observed", "")),
                "rationale": clean(info.get("rationale", "")),
                "setting": clean(", ".join(setting)),
                "again": clean(reproduce(str(first["case"]), facts.seed)),
                "exact": number(exact, 5) if first["rows_scored"] else "not scored",
                "cells": cells,
            }
        )
    return Museum(tuple(names), museum_tally(facts, names), exhibits)


def _shown(row: pd.Series[Any]) -> str:
    """What the answer of the worst row is worth; a failure of another row is named as that."""
    word, digits = str(row["text"]), float(row["var_digits_worst"])
    if word not in FAILURES:
        return "exact" if word == "=" else f"{word} digits" if word else ""
    computed = float(row["computed"])
    own = (
        "NaN" if np.isnan(computed)
        else "inf" if np.isinf(computed)
        else "neg" if computed < 0
        else "≠0" if computed and row["exact"] == 0
        else "exact" if np.isposinf(digits)
        else f"{cell_digits(digits)} digits"
    )  # fmt: skip
    return word if own == word or not row["rows_scored"] else f"{own}; another row: {word}"
