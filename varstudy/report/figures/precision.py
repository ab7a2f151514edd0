"""What a wider accumulator buys: the same lines, summed in the storage's own format and in the next wider one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from varkernels import FORMATS

from ..model.facts import Facts, decimal_digits
from ..rendering import sentence
from ..words import code, count, listing
from .draw import KNOWN, STYLES, Drawn, canvas, legend, svg, token

__all__ = ["draw"]

Point = tuple[float, float]  # share of lines that go wrong, median digits


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
    """A panel for each storage format, its own accumulator at the left, a wider one at the right."""
    panels = []
    for storage, own, wider in _pairs(facts):
        rows = facts.figures[(facts.figures["storage"] == storage) & facts.figures["algorithm"].isin(KNOWN)]
        shared, lines = _shared(rows, (own, wider))
        if lines:
            panels.append((storage, wider, lines, _points(shared, own), _points(shared, wider)))
    if not panels:
        return Drawn(None)
    names = [name for name in KNOWN if any(name in panel[3] for panel in panels)]
    with canvas("precision"):
        fig = Figure(figsize=(4.1 * len(panels) + 2.0 * (len(panels) == 1), 6.6), layout="constrained")
        for place, (storage, wider, _, own_points, wide_points) in enumerate(panels):
            words = ("lines that go wrong, %", f"median digits (of {decimal_digits(storage):.1f})")
            for row, what in enumerate(words):
                ax = fig.add_subplot(2, len(panels), row * len(panels) + place + 1)
                for step, name in enumerate(names):
                    if name not in own_points or name not in wide_points:
                        continue
                    style = STYLES[name]
                    shift = 0.012 * (step - len(names) / 2)  # equal points stay apart
                    ax.plot(
                        [shift, 1 + shift], [own_points[name][row], wide_points[name][row]],
                        color=token(style.colour), marker=style.marker, ls=style.line, mec=token("paper"), mew=0.4,
                        ms=7, clip_on=False,
                    )  # fmt: skip
                ax.set_xlim(-0.15, 1.15)
                ax.set_xticks([0, 1], [f"in {storage}", f"in {wider}"])
                ax.set_ylim(0, None)
                if row == 0:
                    ax.set_title(f"{storage}, summed in …")
                ax.set_ylabel(what)
        legend(fig, names)
        drawing = svg(
            fig,
            "precision",
            "Share of lines that go wrong, and median digits, with the accumulator in the storage format and wider",
        )
    return Drawn(drawing, (sentence("precision"), *(_note(*panel) for panel in panels)))


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
