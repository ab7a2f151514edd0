"""Error against the condition number, with the rigorous bounds: one panel a precision."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import varkernels
from varkernels import FORMATS

from ...study.error_bounds import relative_bound
from ..model.facts import Facts
from ..rendering import sentence
from ..words import code, digits, number
from .draw import FEW, KNOWN, STYLES, Drawn, Floats, canvas, decades, legend, plot, svg, token

__all__ = ["draw", "draw_first"]


def _bound(name: str, storage: str, n: int, kappa: Floats) -> Floats:
    try:
        algorithm = varkernels.get(name)
    except ValueError:
        return np.full(kappa.shape, np.nan)
    with np.errstate(all="ignore"):
        found = np.asarray(relative_bound(algorithm, FORMATS[storage], n, kappa), dtype=float)
    return np.where(np.isfinite(found), found, np.nan)


def _curve(rows: pd.DataFrame, name: str) -> tuple[str, Floats, Floats]:
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
    """The offset family of the sweep, accumulator = storage: a panel a format."""
    rows = _rows(facts)
    storages = [s for s in FORMATS if (rows["storage"] == s).any()]
    if not storages:
        return Drawn(None)
    tall = (len(storages) + 1) // 2
    wide = min(2, len(storages))
    notes: list[Markup] = []
    total: Counter[str] = Counter()
    names = [name for name in KNOWN if (rows["algorithm"] == name).any()]
    with canvas("kappa"):
        fig = Figure(figsize=(6.2 * wide + 2.6 * (wide == 1), 4.5 * tall + 0.7), layout="constrained")
        for place, storage in enumerate(storages):
            panel = rows[rows["storage"] == storage]
            ax = fig.add_subplot(tall, wide, place + 1)
            curves = [_curve(panel, name) for name in names]
            total.update(plot(ax, curves))
            low, high = panel["kappa_worst"].min(), panel["kappa_worst"].max()
            ax.set_xlim(low / 1.6, high * 1.6)
            grid = np.geomspace(max(low, 1.0), max(high, 1.001), 120)
            n = int(panel["values"].median())
            for name, _, _ in curves:
                ax.plot(
                    grid, _bound(name, storage, n, grid), color=token(STYLES[name].colour), lw=1.2,
                    ls=(0, (1, 2)), zorder=1,
                )  # fmt: skip
            decades(ax, "x")
            ax.set_title(f"{storage}, {storage} accumulator")
            ax.set_xlabel("condition number κ (worst row)")
            if place % wide == 0:
                ax.set_ylabel("relative error of the variance (worst row)")
            notes.append(_note(panel, storage, n, curves))
        extra = [Line2D([], [], color=token("muted"), lw=1.2, ls=(0, (1, 2)), label="its rigorous bound")]
        legend(fig, names, extra)
        drawing = svg(
            fig,
            "kappa",
            f"Relative error of the variance against the condition number, {len(storages)} panels",
        )
    used = rows["bound_used"].max()
    lead = sentence("kappa", total=total, used=used if np.isfinite(used) else None)
    return Drawn(drawing, (lead, *notes))


def _note(panel: pd.DataFrame, storage: str, n: int, curves: list[tuple[str, Floats, Floats]]) -> Markup:
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
