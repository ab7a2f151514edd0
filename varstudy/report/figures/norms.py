"""Batch, layer, instance and group norm of the same feature maps, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from varkernels import FORMATS

from ..model.facts import Facts, decimal_digits
from ..rendering import sentence
from ..words import short
from .draw import KNOWN, Drawn, canvas, slim, svg, token

__all__ = ["draw"]

_MARKS: dict[str, dict[str, Any]] = {
    "batch": {"color": token("c1"), "marker": "s"},
    "layer": {"color": token("c0"), "marker": "o"},
    "instance": {"color": token("c2"), "marker": "^"},
    "group": {"color": token("c3"), "marker": "D"},
}


def draw(facts: Facts) -> Drawn:
    """The norms cases, accumulator = storage; float32, or the first storage there is."""
    frame = facts.figures
    rows = frame[(frame["group"] == "norms") & frame["own"] & frame["scored"] & frame["algorithm"].isin(KNOWN)]
    rows = rows[rows["correction"] == rows["correction"].min()]
    storages = [s for s in FORMATS if (rows["storage"] == s).any()]
    if not storages:
        return Drawn(None)
    storage = "float32" if "float32" in storages else storages[0]
    rows = rows[rows["storage"] == storage]
    norms = [norm for norm in _MARKS if (rows["norm"] == norm).any()]
    if not norms:
        return Drawn(None)
    wide, narrow = (_drawing(rows, norms, storage, narrow=narrow) for narrow in (False, True))
    odd, full = int((~np.isfinite(rows["var_digits_worst"])).sum()), decimal_digits(storage)
    notes = [sentence("norms", storage=storage, ways=len(norms), full=full, odd=odd, marks=len(rows))]
    for norm in norms:
        panel = rows[rows["norm"] == norm]
        kappas = panel["kappa_worst"][np.isfinite(panel["kappa_worst"])]
        values = " or ".join(f"{v:,}" for v in sorted(set(panel["values"])))
        kappa = kappas.max() if len(kappas) else None
        worst = panel.loc[panel["var_digits_worst"].idxmin()]
        notes.append(sentence("norms_panel", norm=norm, values=values, kappa=kappa, worst=worst))
    return Drawn(wide, tuple(notes), narrow)


def _drawing(rows: pd.DataFrame, norms: Sequence[str], storage: str, *, narrow: bool) -> Markup:
    """A panel a feature map, a row an algorithm, a mark a norm."""
    key = "norms-narrow" if narrow else "norms"
    cases = list(dict.fromkeys(rows["case"]))
    names = [name for name in KNOWN if (rows["algorithm"] == name).any()]
    finite = rows["var_digits_worst"][np.isfinite(rows["var_digits_worst"])]
    full = decimal_digits(storage)
    low = min(0.0, float(np.floor(finite.min())) if len(finite) else 0.0)
    high = max(full, float(finite.max()) if len(finite) else full) + 0.4
    fails, exact = low - 1.4, high + 0.7
    ticks = [t for t in range(int(low), int(high) + 1) if t % 2 == 0 or high - low < 6]
    columns = 1 if narrow else min(4, len(cases))
    tall = -(-len(cases) // columns)
    with canvas(key):
        size = (4.6, 2.4 * tall + 0.6) if narrow else (12.4, (0.5 + 0.3 * len(names)) * tall + 1.0)
        fig = Figure(figsize=size, layout="constrained")
        for place, case in enumerate(cases):
            ax = fig.add_subplot(tall, columns, place + 1)
            panel = rows[rows["case"] == case]
            for step, norm in enumerate(norms):
                mine = panel[panel["norm"] == norm].drop_duplicates("algorithm")
                shown = mine["var_digits_worst"].to_numpy(float)
                x = np.where(np.isposinf(shown), exact, np.where(np.isfinite(shown), shown, fails))
                y = np.array([names.index(name) for name in mine["algorithm"]]) + 0.17 * (step - (len(norms) - 1) / 2)
                ax.plot(x, y, ls="none", ms=6, alpha=0.9, **_MARKS[norm])
            ax.set_title(short(case, 40))
            ax.set_xlim(fails - 0.5, exact + 0.5)
            ax.set_xticks([fails, *ticks, exact], ["fails", *(str(t).replace("-", "−") for t in ticks), "="])
            ax.axvline(full, color=token("muted"), lw=1.0, ls=(0, (2, 2)))
            ax.set_ylim(len(names) - 0.4, -0.6)
            ax.set_yticks(range(len(names)), names)
            ax.tick_params(axis="y", labelleft=place % columns == 0, length=0)
            if place >= len(cases) - columns:
                ax.set_xlabel("correct digits (worst row)")
        handles = [Line2D([], [], ls="none", ms=7, label=norm, **_MARKS[norm]) for norm in norms]
        fig.legend(handles=handles, loc="outside upper center", ncols=len(norms), columnspacing=1.2, handletextpad=0.2)
        return slim(svg(fig, key, f"Correct digits of the variance under {', '.join(norms)} norm, {storage}"))
