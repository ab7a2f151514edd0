"""Every line that was measured, by group and device."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from ...study.results import reproduce
from ..model.facts import Facts, Line
from ..words import clean
from .wide_table import DEVICES, GROUP_TITLES, WideBlock, WideLine, WideTable, kappa

__all__ = ["GroupTable", "group_tables"]


@dataclass(frozen=True)
class GroupTable:
    """The lines of one group on one device."""

    key: str
    title: str
    lines: int
    measurements: int
    table: WideTable


def group_tables(facts: Facts) -> list[GroupTable]:
    """Every line, by group: worst correct digits of each algorithm, and the command that measures it again."""
    made = []
    for place, ((group, device), part) in enumerate(facts.frame.groupby(["group", "device"], sort=False)):
        builds = part["contraction"].nunique() > 1
        columns = facts.columns_of(part)
        cells = facts.cells(part, columns)
        blocks = tuple(
            WideBlock(case, tuple(_line(line, cells[line.number], builds, facts.seed) for line in lines))
            for case, lines in groupby(facts.lines(part), key=lambda line: line.case)
        )
        first = ("Feature map", "stored in", "summed in", *(("contraction",) if builds else ()), "κ")
        title = GROUP_TITLES.get(str(group), clean(group))
        if device != facts.device:
            title = f"{title}, {DEVICES.get(str(device), clean(device))}"
        table = WideTable(first, columns, blocks)
        made.append(GroupTable(f"group-{place}", title, part["line"].nunique(), len(part), table))
    return made


def _line(line: Line, cells: list[tuple[str, str]], builds: bool, seed: int) -> WideLine:
    leading = (line.storage, line.accumulator, *((line.contraction,) if builds else ()))
    return WideLine(
        line.case, line.setting or "flat", (*map(clean, leading), kappa(line.kappa)), tuple(cells),
        clean(reproduce(line.case, seed)),
    )  # fmt: skip
