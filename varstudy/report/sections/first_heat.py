"""The heat map of the report's first page: worst digits by family of feature maps, recommended algorithms first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...study.recommendation import Choice
from ..figures.draw import KNOWN
from ..model.facts import Facts, decimal_digits, shade
from ..words import clean, digits
from .wide_tables import GROUP_TITLES, HEAT_GROUPS

__all__ = ["COLUMNS", "FamilyHeat", "family_heat"]

COLUMNS = 8


@dataclass(frozen=True)
class FamilyHeat:
    """Worst digits of some algorithms, for one pair of formats.

    Attributes
    ----------
    full : digits that the storage format has. algorithms : the columns.
    recommended : how many of them the recommendation names. lines : a family, its number of
        maps, and class and text of each cell.
    """

    storage: str
    accumulator: str
    full: str
    algorithms: tuple[str, ...]
    recommended: int
    lines: tuple[tuple[str, int, tuple[tuple[str, str], ...]], ...]


def family_heat(facts: Facts, choices: Sequence[Choice]) -> FamilyHeat | None:
    """The heat map of float32 in float32, or of the first pair in its own format; None without a map."""
    frame = facts.figures
    rows = frame[frame["group"].isin(HEAT_GROUPS) & frame["judged"] & ~frame["beyond"] & frame["own"]]
    storages = sorted(set(rows["storage"]), key=lambda name: name != "float32")
    if not storages:
        return None
    storage = storages[0]
    rows = rows[rows["storage"] == storage]
    there = set(rows["algorithm"])
    own = [choice for choice in choices if choice.storage == choice.accumulator == storage]
    picks = [pick for choice in own for pick in (choice.cheapest, choice.accurate, choice.runner_up) if pick]
    advised = [name for name in dict.fromkeys(pick.algorithm for pick in picks) if name in there]
    names = list(dict.fromkeys([*advised, *(name for name in KNOWN if name in there)]))[:COLUMNS]
    families = rows.groupby(["group", "family"], sort=False)
    lines = tuple(
        (
            clean(family).replace("_", " ").replace("-", " ") if group == "families" else _title(group, family),
            int(mine["case"].nunique()),
            tuple(_cell(mine[mine["algorithm"] == name], storage) for name in names),
        )
        for (group, family), mine in families
    )
    return FamilyHeat(storage, storage, f"{decimal_digits(storage):.1f}", tuple(names), len(advised), lines)


def _title(group: object, family: object) -> str:
    title = GROUP_TITLES.get(str(group), clean(group))
    return f"{title}: {clean(family)}"


def _cell(rows: pd.DataFrame, storage: str) -> tuple[str, str]:
    """The worst line: a word where it fails, else its digits, no more than the format has."""
    if rows.empty:
        return "n", ""
    shown = rows["digits"].where(rows["css"] != "x", -1.0).to_numpy(float)
    if np.isnan(shown).all():
        return "n", "–"
    place = int(np.nanargmin(shown))
    if rows["css"].iloc[place] == "x":
        return "x", str(rows["text"].iloc[place])
    value = float(shown[place])
    return shade(value, storage), digits(value)
