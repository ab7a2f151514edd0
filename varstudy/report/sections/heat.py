"""The heat map: correct digits of every algorithm on every feature map, for each pair of formats."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from markupsafe import Markup

from ...study.results import reproduce
from ..figures.draw import KNOWN
from ..model.facts import Facts, decimal_digits
from ..words import clean, code, count
from .wide_table import GROUP_TITLES, WideBlock, WideLine, WideTable, kappa

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HeatMap", "heat_maps"]

HEAT_GROUPS = ("families", "norms", "photo", "user")


@dataclass(frozen=True)
class HeatMap:
    """The table of one pair of formats: the digits that the storage format has, the lines, and what they show."""

    storage: str
    accumulator: str
    full: str
    table: WideTable
    rows: int
    notes: tuple[Markup, ...]


def heat_maps(facts: Facts) -> list[HeatMap]:
    """Algorithm against feature map, for each pair of formats: float32 in float32 first."""
    frame = facts.figures
    rows = frame[frame["group"].isin(HEAT_GROUPS) & (frame["rows"] > 0)]
    pairs = [
        pair for pair in facts.formats() if ((rows["storage"] == pair[0]) & (rows["accumulator"] == pair[1])).any()
    ]
    pairs.sort(key=lambda pair: (pair != ("float32", "float32"), pair[0] != pair[1]))
    made = []
    for storage, accumulator in pairs:
        part = rows[(rows["storage"] == storage) & (rows["accumulator"] == accumulator)]
        cells = facts.cells(part, facts.columns)
        blocks = tuple(
            WideBlock(
                GROUP_TITLES.get(group, clean(group)),
                tuple(
                    WideLine(
                        line.case, line.setting, (kappa(line.kappa),), tuple(cells[line.number]),
                        clean(reproduce(line.case, facts.seed)),
                    )
                    for line in lines
                ),
            )
            for group, lines in groupby(facts.lines(part), key=lambda line: line.group)
        )  # fmt: skip
        table = WideTable(("Feature map", "κ"), facts.columns, blocks)
        made.append(HeatMap(storage, accumulator, f"{decimal_digits(storage):.1f}", table, len(cells), _notes(part)))
    return made


def _notes(part: pd.DataFrame) -> tuple[Markup, ...]:
    scored = part[part["judged"]]
    bad: dict[str, int] = {}
    for name, wrong in zip(scored["algorithm"].tolist(), scored["wrong"].tolist(), strict=True):
        bad[name] = bad.get(name, 0) + bool(wrong)
    if not bad:
        return ()
    lines = scored["algorithm"].value_counts().to_dict()
    most, least = max(bad, key=bad.__getitem__), min(bad, key=bad.__getitem__)
    equal = sum(n == bad[least] for n in bad.values()) - 1
    text = Markup(
        "Wrong (a marked word, or less than one correct digit): most often {}, on {} of {} lines; "
        "least often {}, on {} of {}{}."
    ).format(
        code(most), bad[most], lines[most], code(least), bad[least], lines[least],
        f" (as for {count(equal, 'other')})" if equal else "",
    )  # fmt: skip
    known = [Markup("{} {}").format(code(name), bad[name]) for name in KNOWN if name in bad]
    if known:
        text += Markup(" The names people know: {}.").format(Markup(", ").join(known))
    return (text,)
