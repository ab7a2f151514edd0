"""Error against the condition number, with the rigorous bounds: a panel for each algorithm and format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import varkernels
from varkernels import FORMATS

from ...study.error_bounds import relative_bound
from ..model.facts import Facts
from ..rendering import sentence
from ..words import code, digits, number
from .draw import FEW, KNOWN, STYLES, Curve, Drawn, Floats, canvas, decades, grid, plot, slim, svg, tally, token

__all__ = ["draw", "draw_first"]


def _bound(name: str, storage: str, n: int, kappa: Floats) -> Floats:
    try:
        algorithm = varkernels.get(name)
    except ValueError:
        return np.full(kappa.shape, np.nan)
    with np.errstate(all="ignore"):
        found = np.asarray(relative_bound(algorithm, FORMATS[storage], n, kappa), dtype=float)
    return np.where(np.isfinite(found), found, np.nan)


def _curve(rows: pd.DataFrame, name: str) -> Curve:
    mine = rows[rows["algorithm"] == name].sort_values("kappa_worst", kind="stable")
    return name, mine["kappa_worst"].to_numpy(float), mine["var_error_worst"].to_numpy(float)


def _rows(facts: Facts) -> pd.DataFrame:
    frame = facts.figures
    rows = frame[(frame["group"] == "kappa-sweep") & (frame["family"] == "offset") & frame["own"] & frame["scored"]]
    known: pd.DataFrame = rows[np.isfinite(rows["kappa_worst"]) & rows["algorithm"].isin(KNOWN)]
    return known


def draw_first(facts: Facts) -> Drawn:
    """The panel of float32, or of the first format there is: few algorithms, named at their lines."""
    rows = _rows(facts)
    rows = rows[rows["algorithm"].isin(FEW)]
    storages = [s for s in ("float32", *FORMATS) if (rows["storage"] == s).any()]
    if not storages:
        return Drawn(None)
    panel = rows[rows["storage"] == storages[0]]
    return Drawn(_first(panel, storages[0], narrow=False), narrow=_first(panel, storages[0], narrow=True))


def _first(panel: pd.DataFrame, storage: str, *, narrow: bool) -> Markup:
    key = "kappa-narrow" if narrow else "kappa-first"
    with canvas(key):
        fig = Figure(figsize=(4.6, 3.9) if narrow else (6.6, 4.1), layout="constrained")
        ax = fig.add_subplot()
        curves = [_curve(panel, name) for name in FEW if (panel["algorithm"] == name).any()]
        plot(ax, curves, named=True)
        low, high = panel["kappa_worst"].min(), panel["kappa_worst"].max()
        ax.set_xlim(low / 1.6, high * 1.6)
        grid = np.geomspace(max(low, 1.0), max(high, 1.001), 120)
        for name in dict.fromkeys((curves[0][0], curves[-1][0])):
            bound = _bound(name, storage, int(panel["values"].median()), grid)
            ax.plot(grid, bound, color=token(STYLES[name].colour), lw=1.2, ls=(0, (1, 2)), zorder=1)
        decades(ax, "x", 5 if narrow else 9)
        ax.set_title(f"{storage}, {storage} accumulator")
        ax.set_xlabel("condition number κ (worst row)")
        ax.set_ylabel("relative error of the variance")
        return svg(fig, key, f"Relative error of the variance against the condition number, {storage}")


def draw(facts: Facts) -> Drawn:
    """The offset family of the sweep, accumulator = storage: a panel for each algorithm and format."""
    rows = _rows(facts)
    storages = [s for s in FORMATS if (rows["storage"] == s).any()]
    if not storages:
        return Drawn(None)
    panels = {storage: rows[rows["storage"] == storage] for storage in storages}
    names = [name for name in KNOWN if (rows["algorithm"] == name).any()]
    curves = {storage: [_curve(panel, name) for name in names] for storage, panel in panels.items()}
    total = tally([error for of_one in curves.values() for _, _, error in of_one])
    wide, narrow = (_grid(panels, curves, narrow=narrow) for narrow in (False, True))
    used = rows["bound_used"][np.isfinite(rows["bound_used"])]
    lead = sentence("kappa", total=total, used=used.max() if len(used) else None, bounded=len(used))
    notes = (_note(panel, storage, int(panel["values"].median()), curves[storage]) for storage, panel in panels.items())
    return Drawn(wide, (lead, *notes), narrow)


def _grid(panels: Mapping[str, pd.DataFrame], curves: Mapping[str, Sequence[Curve]], *, narrow: bool) -> Markup:
    """A row an algorithm, a column a format; two formats after two for a narrow screen."""
    key = "kappa-grid-narrow" if narrow else "kappa"
    storages = list(panels)
    columns = min(2 if narrow else 4, len(storages))
    blocks = [storages[at : at + columns] for at in range(0, len(storages), columns)]
    rows = len(next(iter(curves.values())))
    tall = (1.05 if narrow else 1.0) * rows + 0.5
    size = (4.6 if narrow else 12.4, tall * len(blocks))
    with canvas(key):
        fig = Figure(figsize=size)
        for block, shown in enumerate(blocks):
            # Room for names and numbers, in inches: left of, right of, below and above the block.
            left, above = (0.72, 0.42) if narrow else (2.3, 0.32)
            around = (left, 0.12, tall * (len(blocks) - 1 - block) + 0.55, tall * block + above)
            axes = grid(fig, rows, columns, around, (0.55, 0.34) if narrow else (0.55, 0.16))
            for column, storage in enumerate(shown):
                for place, curve in enumerate(curves[storage]):
                    ax = axes[place, column]
                    _cell(ax, curve, storage, panels[storage], curves[storage], 3 if narrow else 5)
                    ax.tick_params(axis="x", labelbottom=place == rows - 1)
                    colour = token(STYLES[curve[0]].colour)
                    if column == 0 and narrow:
                        ax.set_title(curve[0], fontsize=9, color=colour, pad=3)
                    elif column == 0:
                        name = curve[0].replace("two_pass/", "two_pass\n/")
                        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9.5, color=colour)
                    if place == 0:
                        ax.set_title(storage, loc="right" if narrow else "left", fontsize=10 if narrow else 11)
                    if place == rows - 1:
                        ax.set_xlabel("κ (worst row)" if narrow else "condition number κ (worst row)")
            for column in range(len(shown), columns):
                for place in range(rows):
                    axes[place, column].remove()
        label = "Relative error of the variance and its bound against the condition number, by algorithm and format"
        return slim(svg(fig, key, label))


def _cell(ax: Axes, curve: Curve, storage: str, panel: pd.DataFrame, among: Sequence[Curve], ticks: int) -> None:
    """One algorithm in one format, with its bound; the limits are those of all algorithms in that format."""
    plot(ax, [curve], among=among, most=4)
    low, high = panel["kappa_worst"].min(), panel["kappa_worst"].max()
    ax.set_xlim(low / 1.6, high * 1.6)
    grid = np.geomspace(max(low, 1.0), max(high, 1.001), 60)
    bound = _bound(curve[0], storage, int(panel["values"].median()), grid)
    ax.plot(grid, bound, color=token(STYLES[curve[0]].colour), lw=1.2, ls=(0, (1, 2)), zorder=1)
    decades(ax, "x", ticks)


def _note(panel: pd.DataFrame, storage: str, n: int, curves: Sequence[Curve]) -> Markup:
    lost = []
    kept = []
    for name, kappa, error in curves:
        if not len(error):
            continue
        gone = np.flatnonzero(~(error < 1))
        if len(gone):
            lost.append(Markup("{} at κ = {}").format(code(name), number(kappa[gone[0]], 2)))
        else:
            worst = float(error.max())
            shown = digits(-np.log10(worst)) if worst > 0 else "all"
            kept.append(Markup("{} ({} digits)").format(code(name), shown))
    most = float(panel["kappa_worst"].max())
    return sentence("kappa_panel", storage=storage, n=n, lost=lost, kept=kept, most=most)
