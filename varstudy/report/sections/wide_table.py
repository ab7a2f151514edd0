"""Wide tables of digits: a line a measured feature map, a column an algorithm under its formula."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from ..model.facts import Column
from ..words import clean, number

__all__ = ["DEVICES", "GROUP_TITLES", "WideBlock", "WideLine", "WideTable", "kappa"]

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
    cells: tuple[tuple[str, str], ...]
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


def kappa(value: float) -> str:
    """A condition number, a dash where there is none."""
    return "–" if np.isnan(value) else number(value, 2)
