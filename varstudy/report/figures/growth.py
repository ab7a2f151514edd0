"""Error against the number of values: benign, offset, and values at which running sums stall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from varkernels import FORMATS

from ..model.facts import Facts
from ..rendering import sentence
from ..words import code, listing, number, size
from .draw import FEW, KNOWN, Curve, Drawn, canvas, grid, plot, slim, svg, tally

__all__ = ["draw", "draw_first"]

PANELS = (
    ("normal", "float32", "centred normal values"),
    ("offset", "float32", "spread 1 round 1000"),
    ("normal", "bfloat16", "centred normal values"),
    ("offset", "float64", "spread 1 round 1000"),
    ("stagnation", "float16", "0, 1, 0, 1 …"),
    ("stagnation", "bfloat16", "0, 1, 0, 1 …"),
)


def _rows(facts: Facts) -> pd.DataFrame:
    frame = facts.figures
    return frame[(frame["group"] == "growth") & frame["own"] & frame["scored"] & frame["algorithm"].isin(KNOWN)]


def _curves(panel: pd.DataFrame, names: Sequence[str]) -> list[Curve]:
    curves = []
    for name in names:
        mine = panel[panel["algorithm"] == name].sort_values("values", kind="stable")
        curves.append((name, mine["values"].to_numpy(float), mine["var_error_worst"].to_numpy(float)))
    return curves


def _lengths(ax: Axes, sizes: Sequence[float], most: int) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xlim(sizes[0] / 1.5, sizes[-1] * 1.5)
    ticks = sizes[:: -(-len(sizes) // most)]
    ax.set_xticks(ticks, [size(v) for v in ticks])
    ax.minorticks_off()
    ax.set_xlabel("number of values N")


def draw_first(facts: Facts) -> Drawn:
    """One panel, values with a large mean in float32: few algorithms, named at their lines."""
    rows = _rows(facts)
    rows = rows[rows["algorithm"].isin(FEW)]
    for family, storage, title in (PANELS[1], *PANELS):
        panel = rows[(rows["family"] == family) & (rows["storage"] == storage)]
        if len(panel):
            return Drawn(_first(panel, storage, title, narrow=False), narrow=_first(panel, storage, title, narrow=True))
    return Drawn(None)


def _first(panel: pd.DataFrame, storage: str, title: str, *, narrow: bool) -> Markup:
    key = "growth-narrow" if narrow else "growth-first"
    with canvas(key):
        fig = Figure(figsize=(4.6, 3.9) if narrow else (6.6, 4.1), layout="constrained")
        ax = fig.add_subplot()
        plot(ax, _curves(panel, [name for name in FEW if (panel["algorithm"] == name).any()]), named=True)
        _lengths(ax, sorted(set(panel["values"].tolist())), 6 if narrow else 12)
        ax.set_title(f"{title}: {storage}")
        ax.set_ylabel("relative error of the variance")
        return svg(fig, key, f"Relative error of the variance against the number of values, {storage}")


def draw(facts: Facts) -> Drawn:
    """The growth cases, accumulator = storage."""
    rows = _rows(facts)
    panels = [
        (family, storage, title, rows[(rows["family"] == family) & (rows["storage"] == storage)])
        for family, storage, title in PANELS
        if storage in FORMATS
    ]
    panels = [p for p in panels if not p[3].empty]
    if not panels:
        return Drawn(None)
    names = [name for name in KNOWN if (rows["algorithm"] == name).any()]
    drawn = [(title, storage, panel, _curves(panel, names)) for _, storage, title, panel in panels]
    wide, narrow = (_drawing(drawn, narrow=narrow) for narrow in (False, True))
    total = tally([error for *_, curves in drawn for _, _, error in curves])
    notes = [_note(storage, title, int(panel["values"].max()), curves) for title, storage, panel, curves in drawn]
    return Drawn(wide, (sentence("growth", total=total), *notes), narrow)


def _drawing(drawn: Sequence[tuple[str, str, pd.DataFrame, list[Curve]]], *, narrow: bool) -> Markup:
    """Two panels a row; one above the other for a narrow screen. Each line bears its name."""
    key = "growth-grid-narrow" if narrow else "growth"
    wide = 1 if narrow else min(2, len(drawn))
    tall = (len(drawn) + wide - 1) // wide
    with canvas(key):
        fig = Figure(figsize=(4.6, 3.2 * tall) if narrow else (6.2 * wide, 3.3 * tall))
        axes = grid(fig, tall, wide, (0.85, 1.95, 0.55, 0.35), (2.6, 0.95)).reshape(-1)
        for ax in axes[len(drawn) :]:
            ax.remove()
        for place, (ax, (title, storage, panel, curves)) in enumerate(zip(axes, drawn, strict=False)):
            plot(ax, [curve for curve in curves if len(curve[1])], named=True)
            _lengths(ax, sorted(set(panel["values"].tolist())), 6 if narrow else 8)
            ax.set_title(f"{title}: {storage}")
            if place % wide == 0:
                ax.set_ylabel("relative error of the variance")
        return slim(svg(fig, key, f"Relative error of the variance against the number of values, {len(drawn)} panels"))


def _note(storage: str, title: str, largest: int, curves: list[Curve]) -> Markup:
    at_end = []
    for name, n, error in curves:
        if len(n) and n[-1] == largest:
            e = float(error[-1])
            at_end.append((e if np.isfinite(e) else np.inf, name))
    at_end.sort(key=lambda p: p[0])
    shown = [Markup("{} {}").format(code(name), number(e) if np.isfinite(e) else "NaN or ∞") for e, name in at_end]
    return Markup("<b>{}, {}</b>, at N = {}, from the smallest error to the largest: {}.").format(
        title, storage, size(largest), listing(shown)
    )
