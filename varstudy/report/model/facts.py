"""The table with what the report needs to know of each row: does it fail, is it well posed, how is it shown."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from varkernels import FORMATS
from varkernels.formulas import ORDERS

from ...study.population import Population, grown, measurements, summarise
from ...study.results import Results, judged, wrong
from ...study.score import held
from ..words import cell_digits, clean

__all__ = ["FAILURES", "LINE", "Column", "Facts", "decimal_digits", "shade"]

# A line of the report's tables: a measurement without its algorithm.
LINE = ("case", "norm", "groups", "storage", "accumulator", "correction", "device", "contraction")
# What a cell says of a measurement with a row that fails.
FAILURES = ("missed", "NaN", "inf", "neg", "≠0")
# Shades of a cell, from no digit to all that the storage format has.
_SHADES = "bcdefgh"


def decimal_digits(storage: str) -> float:
    """The digits that a format holds; NaN for a name that is none."""
    return held(FORMATS[storage]) if storage in FORMATS else float("nan")


def shade(digits: float, storage: str) -> str:
    """The class of a cell, by the share of a storage format's digits that are right; a: none, n: unknown."""
    full = decimal_digits(storage)
    if math.isnan(digits) or math.isnan(full):
        return "n"
    share = digits / full if math.isfinite(digits) else math.copysign(1.0, digits)
    return "a" if share < 0 else _SHADES[min(len(_SHADES) - 1, int(share * len(_SHADES)))]


def order_word(order: str) -> str:
    """An order in four letters or so, for the head of a narrow column."""
    known = {"running": "run", "pairwise": "pair", "thread": "thr", "block": "blk", "block4": "blk4"}
    found = re.fullmatch(r"(lanes|blocked)(\d+)", order)
    return known.get(order) or (f"{found[1][0]}{found[2]}" if found else clean(order)[:6] or "–")


@dataclass(frozen=True)
class Column:
    """A column of the wide tables: an algorithm, under its formula."""

    algorithm: str
    formula: str
    order: str

    @property
    def word(self) -> str:
        return order_word(self.order)


class Facts:
    """A study's results, and what follows from each row of them.

    Attributes
    ----------
    frame : the table with the columns ``own`` (the accumulator is the storage format), ``posed`` (kappa u < 1),
        ``scored`` (a row has an exact variance), ``judged`` (a row is right, inaccurate or wrong, or has a NaN that
        the answer must have too), ``wrong`` (one of these is), ``beyond`` (an exact variance is out of the
        accumulator's range), ``digits`` (of the worst row, from 0 to what the storage format holds), ``line`` (a number
        for each line), ``css`` and ``text`` (how a cell shows it).
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self.frame = _known(results.frame)

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.results.settings)

    @property
    def seed(self) -> int:
        seed = self.results.settings.get("seed", 0)
        return seed if isinstance(seed, int) else 0

    @property
    def measured(self) -> tuple[int, int] | None:
        """How many cells are measured and how many there will be; None where the run is finished."""
        match self.results.settings.get("measured"):
            case [int(some), int(total)]:
                return some, total
        return None

    @cached_property
    def device(self) -> str:
        """The device that the figures show: the CPU, or the first of a table without it."""
        devices = self.frame["device"]
        return "cpu" if not len(devices) or (devices == "cpu").any() else str(devices.iloc[0])

    @cached_property
    def figures(self) -> pd.DataFrame:
        """The rows of the device that the figures show."""
        return self.frame[self.frame["device"] == self.device]

    @cached_property
    def population(self) -> Population:
        """What the recommendations rest on: the table's maps, and the long rows measured once."""
        own = summarise(measurements(self.results, self.device))
        return own.joined(grown().only(own.pairs()))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Every algorithm of the figures' device."""
        return self.columns_of(self.figures)

    def columns_of(self, frame: pd.DataFrame) -> tuple[Column, ...]:
        """Every algorithm of a part of the table, those of one formula together, in the table's order."""
        seen = frame[["algorithm", "formula", "order"]].drop_duplicates("algorithm")
        found = [Column(*map(str, row)) for row in seen.itertuples(index=False)]
        formulas = list(dict.fromkeys(column.formula for column in found))
        orders = {name: i for i, name in enumerate(ORDERS)}
        return tuple(sorted(found, key=lambda c: (formulas.index(c.formula), orders.get(c.order, 9))))

    def info(self, case: str) -> dict[str, Any]:
        """What is known of a case; empty for one that the results do not describe."""
        return dict(self.results.cases.get(case, {}))

    def formats(self) -> list[tuple[str, str]]:
        """Pairs (storage, accumulator) of the table, narrow ones first."""
        pairs = self.figures[["storage", "accumulator"]].drop_duplicates().itertuples(index=False)
        known = list(FORMATS)
        return sorted(
            ((str(s), str(a)) for s, a in pairs),
            key=lambda p: tuple(known.index(f) if f in known else len(known) for f in p),
        )

    def cells(self, frame: pd.DataFrame, columns: Sequence[Column]) -> dict[int, list[tuple[str, str]]]:
        """The class and the text of each column, by line; a measurement that is missing shows as a blank."""
        places = {column.algorithm: i for i, column in enumerate(columns)}
        found: dict[int, list[tuple[str, str]]] = {}
        table = frame[["line", "algorithm", "css", "text"]]
        for line, algorithm, css, text in table.itertuples(index=False):
            if algorithm in places:
                row = found.setdefault(int(line), [("n", "")] * len(columns))
                row[places[algorithm]] = (css, text)
        return found


def _known(table: pd.DataFrame) -> pd.DataFrame:
    frame = table.copy()
    storage, accumulator = frame["storage"], frame["accumulator"]
    u = storage.map({name: float(f.unit_roundoff) for name, f in FORMATS.items()}).astype(float)
    frame["own"] = storage == accumulator
    frame["scored"] = frame["rows_scored"] > 0
    frame["posed"] = frame["scored"] & (frame["kappa_worst"] * u < 1)
    frame["beyond"] = frame["rows_out_of_range"] > 0
    frame["judged"] = judged(frame)
    frame["wrong"] = wrong(frame)
    frame["digits"] = np.clip(frame["var_digits_worst"], 0, storage.map({f: decimal_digits(f) for f in FORMATS}))
    frame["line"] = frame.groupby(list(LINE), sort=False, dropna=False).ngroup()
    frame["css"], frame["text"] = _cells(frame)
    return frame


def _cells(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """For each row its class (a .. h: from no digit to all; x: fails; n: nothing to say) and its text."""
    missed, scored, shown = frame["nonfinite_missed"] > 0, frame["scored"], frame["var_digits_worst"]
    failures = (frame["var_nan"] > 0, frame["var_inf"] > 0, frame["var_negative"] > 0, shown == -np.inf)
    words = np.select((missed, ~scored, *failures), ("missed", "", "NaN", "inf", "neg", "≠0"), "").tolist()
    css: list[str] = []
    text: list[str] = []
    for storage, told, beyond, word, value in zip(
        frame["storage"].tolist(), scored.tolist(), frame["beyond"].tolist(), words, shown.tolist(), strict=True
    ):
        blank = not word and (not told or math.isnan(value))
        css.append("n" if blank or (beyond and word != "missed") else "x" if word else shade(value, storage))
        text.append("" if blank else word or cell_digits(value))
    return css, text
