"""The wide tables of digits: a line a measured feature map, a column an algorithm under its formula.

A heat map for each pair of formats shows the groups that people read, a table for each group and device every line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ...study.results import reproduce
from ..figures.draw import KNOWN
from ..model.facts import Column, Facts, decimal_digits
from ..rendering import sentence
from ..words import clean, code, number

__all__ = ["DEVICES", "GROUP_TITLES", "HEAT_GROUPS", "GroupTable", "HeatMap", "WideTable", "group_tables", "heat_maps",
           "kappa"]  # fmt: skip

GROUP_TITLES = {
    "families": "Adversarial families",
    "kappa-sweep": "Sweep of the condition number",
    "growth": "Sweep of the number of values",
    "norms": "A network’s feature maps",
    "bessel": "Few values a channel",
    "museum": "Museum of bugs",
    "nist": "NIST reference data",
    "photo": "Photographs",
    "user": "Your files",
}
HEAT_GROUPS = ("families", "norms", "photo", "user")
DEVICES = {"cpu": "on the CPU", "ptx": "CUDA kernels, their PTX executed on the CPU", "cuda": "CUDA kernels on a GPU"}


@dataclass(frozen=True)
class WideLine:
    """One line.

    Attributes
    ----------
    setting : norm and divisor, may be empty. leading : the cells before the algorithms'. cells : class and text of each
        algorithm's cell. again : the command that measures the line again.
    """

    case: str
    setting: str
    leading: tuple[str, ...]
    cells: list[tuple[str, str]]
    again: str


@dataclass(frozen=True)
class WideBlock:
    """Lines under one heading."""

    title: str
    lines: tuple[WideLine, ...]


@dataclass(frozen=True)
class WideTable:
    """The heads of the first columns, the algorithms, and the blocks of lines."""

    first: tuple[str, ...]
    columns: tuple[Column, ...]
    blocks: tuple[WideBlock, ...]

    @property
    def formulas(self) -> list[tuple[str, int]]:
        """Each formula with its number of orders."""
        found = groupby(self.columns, key=lambda column: column.formula)
        return [(clean(formula).replace("_", " "), len(list(mine))) for formula, mine in found]

    @property
    def width(self) -> int:
        return len(self.first) + len(self.columns)


@dataclass(frozen=True)
class HeatMap:
    """The table of one pair of formats: the digits that the storage format has, the lines, and what they show."""

    storage: str
    accumulator: str
    full: str
    table: WideTable
    rows: int
    notes: tuple[Markup, ...]


@dataclass(frozen=True)
class GroupTable:
    """The lines of one group on one device."""

    key: str
    title: str
    lines: int
    measurements: int
    table: WideTable


def kappa(value: float) -> str:
    """A condition number, a dash where there is none."""
    return "–" if np.isnan(value) else number(value, 2)


def _setting(line: Any) -> str:
    """Norm and divisor, in a few letters; nothing where neither says anything."""
    norm = "" if line.norm == "flat" else line.norm + (f" {line.groups}" if line.groups else "")
    divisor = f"n−{line.correction:g}" if line.correction else ""
    return clean(", ".join(word for word in (norm, divisor) if word))


def _blocks(
    facts: Facts, part: pd.DataFrame, columns: tuple[Column, ...], by: str, leading: Iterable[str] = (), flat: str = ""
) -> tuple[WideBlock, ...]:
    """The lines of a part of the table, a block for each value of the column `by`; kappa is that of the worst row."""
    cells = facts.cells(part, columns)
    lines: Iterable[Any] = part.drop_duplicates("line").itertuples(index=False)
    return tuple(
        WideBlock(
            title,
            tuple(
                WideLine(
                    line.case, _setting(line) or flat,
                    (*(clean(getattr(line, name)) for name in leading), kappa(line.kappa_worst)), cells[line.line],
                    clean(reproduce(line.case, facts.seed)),
                )
                for line in mine
            ),
        )
        for title, mine in groupby(lines, key=lambda line: str(getattr(line, by)))
    )  # fmt: skip


def heat_maps(facts: Facts) -> list[HeatMap]:
    """Algorithm against feature map, for each pair of formats: float32 in float32 first."""
    frame = facts.figures
    rows = frame[frame["group"].isin(HEAT_GROUPS) & (frame["rows"] > 0)]
    made = []
    for storage, accumulator in sorted(
        facts.formats(), key=lambda pair: (pair != ("float32", "float32"), pair[0] != pair[1])
    ):
        part = rows[(rows["storage"] == storage) & (rows["accumulator"] == accumulator)]
        if len(part):
            blocks = _blocks(facts, part, facts.columns, "group")
            blocks = tuple(WideBlock(GROUP_TITLES[block.title], block.lines) for block in blocks)
            table, lines = WideTable(("Feature map", "κ"), facts.columns, blocks), part["line"].nunique()
            made.append(HeatMap(storage, accumulator, f"{decimal_digits(storage):.1f}", table, lines, _notes(part)))
    return made


def _notes(part: pd.DataFrame) -> tuple[Markup, ...]:
    scored = part[part["judged"]].groupby("algorithm", sort=False)["wrong"]
    bad, lines = scored.sum().to_dict(), scored.size()
    if not bad:
        return ()
    most, least = max(bad, key=bad.__getitem__), min(bad, key=bad.__getitem__)
    equal = sum(n == bad[least] for n in bad.values()) - 1
    text = sentence("wrong", most=most, least=least, bad=bad, lines=lines, equal=equal)
    known = [Markup("{} {}").format(code(name), bad[name]) for name in KNOWN if name in bad]
    if known:
        text += Markup(" The names people know: {}.").format(Markup(", ").join(known))
    return (text,)


def group_tables(facts: Facts) -> list[GroupTable]:
    """Every line, by group: worst correct digits of each algorithm, and the command that measures it again."""
    made = []
    for place, ((group, device), part) in enumerate(facts.frame.groupby(["group", "device"], sort=False)):
        builds = ("contraction",) if part["contraction"].nunique() > 1 else ()
        columns = facts.columns_of(part)
        blocks = _blocks(facts, part, columns, "case", ("storage", "accumulator", *builds), "flat")
        title = GROUP_TITLES.get(str(group), clean(group))
        if device != facts.device:
            title = f"{title}, {DEVICES.get(str(device), clean(device))}"
        table = WideTable(("Feature map", "stored in", "accumulator", *builds, "κ"), columns, blocks)
        made.append(GroupTable(f"group-{place}", title, part["line"].nunique(), len(part), table))
    return made
