"""What a wider accumulator buys: the same lines with the storage's own format and the next wider one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from varkernels import FORMATS

from ..model.facts import Facts, decimal_digits
from ..rendering import sentence
from ..words import code, count, listing
from .draw import KNOWN, STYLES, Drawn, canvas, svg, token

__all__ = ["draw"]

Point = tuple[float, float]  # share of lines that go wrong, median digits
Panel = tuple[str, str, int, dict[str, Point], dict[str, Point]]  # storage, wider, lines, points of both


def _pairs(facts: Facts) -> list[tuple[str, str, str]]:
    """A storage, itself as the accumulator, and the next wider accumulator of the table."""
    by_storage: dict[str, list[str]] = {}
    rows = facts.figures[facts.figures["algorithm"].isin(KNOWN)]
    pairs = rows[["storage", "accumulator"]].drop_duplicates().itertuples(index=False)
    for storage, accumulator in pairs:
        by_storage.setdefault(storage, []).append(accumulator)
    known = list(FORMATS)
    found = []
    for storage in (name for name in known if name in by_storage):
        wider = [name for name in known if name in by_storage[storage] and known.index(name) > known.index(storage)]
        if storage in by_storage[storage] and wider:
            found.append((storage, storage, wider[0]))
    return found


def _shared(rows: pd.DataFrame, accumulators: tuple[str, str]) -> tuple[pd.DataFrame, int]:
    """The well-posed lines that were measured in both accumulators, and how many there are."""
    keys = ["case", "norm", "groups", "correction"]
    posed = rows[rows["posed"] & rows["accumulator"].isin(accumulators)]
    both = posed.groupby(keys, dropna=False)["accumulator"].transform("nunique") == len(accumulators)
    kept = posed[both]
    return kept, len(kept[keys].drop_duplicates())


def _points(rows: pd.DataFrame, accumulator: str) -> dict[str, Point]:
    """For each algorithm the share of lines that go wrong, and the median digits, no more than the storage has."""
    found: dict[str, Point] = {}
    for name in KNOWN:
        mine = rows[(rows["algorithm"] == name) & (rows["accumulator"] == accumulator)]
        if mine.empty:
            continue
        found[name] = (100 * float(mine["wrong"].mean()), float(np.median(mine["digits"])))
    return found


def draw(facts: Facts) -> Drawn:
    """A panel for each storage format: what goes wrong in its own accumulator and in a wider one."""
    panels = []
    for storage, own, wider in _pairs(facts):
        rows = facts.figures[(facts.figures["storage"] == storage) & facts.figures["algorithm"].isin(KNOWN)]
        shared, lines = _shared(rows, (own, wider))
        if lines:
            panels.append((storage, wider, lines, _points(shared, own), _points(shared, wider)))
    if not panels:
        return Drawn(None)
    names = [name for name in KNOWN if any(name in panel[3] for panel in panels)]
    wide, narrow = (_drawing(panels, names, narrow=narrow) for narrow in (False, True))
    return Drawn(wide, (sentence("precision"), *(_note(*panel) for panel in panels)), narrow)


def _drawing(panels: Sequence[Panel], names: Sequence[str], *, narrow: bool) -> Markup:
    """A line an algorithm: from its share of wrong lines in the storage's format to the one in a wider accumulator."""
    key = "precision-narrow" if narrow else "precision"
    shares = [share for panel in panels for points in panel[3:] for share, _ in points.values()]
    most = 1.05 * max(*shares, 1.0)
    with canvas(key):
        size = (4.6, 2.05 * len(panels) + 0.5) if narrow else (4.1 * max(len(panels), 2), 1.4 + 0.2 * len(names))
        fig = Figure(figsize=size, layout="constrained")
        for place, (storage, wider, lines, own_points, wide_points) in enumerate(panels):
            ax = fig.add_subplot(*((len(panels), 1) if narrow else (1, len(panels))), place + 1)
            for y, name in enumerate(names):
                if name not in own_points or name not in wide_points:
                    continue
                colour, marker = token(STYLES[name].colour), STYLES[name].marker
                before, after = own_points[name][0], wide_points[name][0]
                ax.plot([before, after], [y, y], color=colour, lw=1.4, clip_on=False)
                ax.plot([before], [y], color=colour, marker=marker, ls="none", ms=7, mfc=token("paper"), clip_on=False)
                ax.plot([after], [y], color=colour, marker=marker, ls="none", ms=7, clip_on=False)
            ax.set_xlim(0, most)
            ax.set_ylim(len(names) - 0.4, -0.6)
            ax.set_yticks(range(len(names)), names)
            ax.tick_params(axis="y", labelleft=narrow or place == 0, length=0, pad=9)
            ax.grid(axis="y", visible=False)
            ax.set_title(f"{storage} → {wider}, {count(lines, 'line')}")
            if not narrow or place == len(panels) - 1:
                ax.set_xlabel("lines that go wrong, %")
        handles = [
            Line2D(
                [], [], color=token("ink"), marker="o", mfc=token("paper"), ls="none", ms=7, label="in its own format"
            ),
            Line2D([], [], color=token("ink"), marker="o", ls="none", ms=7, label="in the wider one"),
        ]
        fig.legend(handles=handles, loc="outside upper center", ncols=2)
        return svg(fig, key, "Share of lines that go wrong with the accumulator in the storage format and wider")


def _note(storage: str, wider: str, lines: int, own: dict[str, Point], wide: dict[str, Point]) -> Markup:
    both = [name for name in own if name in wide]
    said = [
        Markup("{} {}% → {}%").format(code(name), f"{own[name][0]:.0f}", f"{wide[name][0]:.0f}")
        for name in sorted(both, key=lambda n: (wide[n][0], own[n][0]))
    ]
    full = decimal_digits(storage)
    whole = sum(wide[name][1] >= full for name in both)
    return Markup(
        "<b>{} in {}</b>, {}: lines that go wrong {}. In {} the median line has all {} digits with {} of {}."
    ).format(
        storage, wider, count(lines, "line"), listing(said), wider, f"{full:.1f}", whole, count(len(both), "algorithm")
    )
