"""Batch, layer, instance and group norm of the same feature maps, side by side."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from varkernels import FORMATS

from ..model.facts import Facts, decimal_digits
from ..rendering import sentence
from ..words import short
from .draw import KNOWN, STYLES, Drawn, canvas, legend, svg, token

__all__ = ["draw"]

NORMS = ("batch", "layer", "instance", "group")


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
    norms = [norm for norm in NORMS if (rows["norm"] == norm).any()]
    if not norms:
        return Drawn(None)
    cases = list(dict.fromkeys(rows["case"]))
    names = [name for name in KNOWN if (rows["algorithm"] == name).any()]
    finite = rows["var_digits_worst"][np.isfinite(rows["var_digits_worst"])]
    full = decimal_digits(storage)
    low = min(0.0, float(np.floor(finite.min())) if len(finite) else 0.0)
    high = max(full, float(finite.max()) if len(finite) else full) + 0.4
    fails, exact = low - 1.4, high + 0.7
    odd = int((~np.isfinite(rows["var_digits_worst"])).sum())
    with canvas("norms"):
        fig = Figure(figsize=(12.4, 1.5 + 0.95 * len(cases)), layout="constrained")
        first = None
        for place, norm in enumerate(norms):
            ax = fig.add_subplot(1, len(norms), place + 1, sharey=first)
            first = first or ax
            panel = rows[rows["norm"] == norm]
            for step, name in enumerate(names):
                mine = panel[panel["algorithm"] == name]
                shown = mine["var_digits_worst"].to_numpy(float)
                x = np.where(np.isposinf(shown), exact, np.where(np.isfinite(shown), shown, fails))
                y = np.array([cases.index(c) for c in mine["case"]]) + 0.72 * (step / max(len(names) - 1, 1) - 0.5)
                style = STYLES[name]
                ax.plot(x, y, color=token(style.colour), marker=style.marker, ls="none", ms=6.5)
            ax.set_title(f"{norm} norm")
            ax.set_xlim(fails - 0.5, exact + 0.5)
            ticks = [t for t in range(int(low), int(high) + 1) if t % 2 == 0 or high - low < 6]
            ax.set_xticks([fails, *ticks, exact], ["fails", *(str(t).replace("-", "−") for t in ticks), "="])
            ax.axvline(full, color=token("muted"), lw=1.0, ls=(0, (2, 2)))
            for edge in np.arange(0.5, len(cases) - 0.5):
                ax.axhline(edge, color=token("muted"), lw=0.6)
            ax.set_ylim(len(cases) - 0.5, -0.5)
            ax.set_yticks(range(len(cases)), [short(c, 40) for c in cases])
            ax.grid(axis="y", visible=False)
            ax.tick_params(axis="y", labelleft=place == 0, length=0)
            ax.set_xlabel("correct digits (worst row)")
        legend(fig, names)
        drawing = svg(fig, "norms", f"Correct digits of the variance under {', '.join(norms)} norm, {storage}")
    notes = [sentence("norms", storage=storage, ways=len(norms), full=full, odd=odd, marks=len(rows))]
    for norm in norms:
        panel = rows[rows["norm"] == norm]
        kappas = panel["kappa_worst"][np.isfinite(panel["kappa_worst"])]
        values = " or ".join(f"{v:,}" for v in sorted(set(panel["values"])))
        kappa = kappas.max() if len(kappas) else None
        worst = panel.loc[panel["var_digits_worst"].idxmin()]
        notes.append(sentence("norms_panel", norm=norm, values=values, kappa=kappa, worst=worst))
    return Drawn(drawing, tuple(notes))
