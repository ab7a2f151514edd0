"""Few values a channel: what sampling, a missing correction and rounding each cost, on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from ..model.facts import Facts
from ..rendering import sentence
from .draw import STYLES, Drawn, Floats, Style, canvas, decades, name_ends, svg, token

__all__ = ["draw"]

# Name, n, errors, style and width.
Line = tuple[str, Floats, Floats, Style, float]

_ROUNDING = ("naive", "welford", "pairwise")


def draw(facts: Facts) -> Drawn:
    """The bessel cases, accumulator = storage; float32, or the first storage there is."""
    frame = facts.figures
    rows = frame[(frame["group"] == "bessel") & frame["own"] & frame["scored"]]
    if rows.empty:
        return Drawn(None)
    storages = list(dict.fromkeys(rows["storage"]))
    storage = "float32" if "float32" in storages else storages[0]
    rows = rows[rows["storage"] == storage].sort_values("values", kind="stable")
    corrected, plain = rows[rows["correction"] == 1], rows[rows["correction"] == 0]
    lead = corrected if not corrected.empty else plain
    if lead.empty:
        return Drawn(None)
    once = lead.drop_duplicates("values")
    n = once["values"].to_numpy(float)
    sampling = once["sampling_error"].to_numpy(float)
    names = [name for name in _ROUNDING if (lead["algorithm"] == name).any()]
    lines: list[Line] = [
        ("sampling", n, sampling, Style("ink", "o"), 2.2),
        ("no correction: 1/n", n, 1 / n, Style("muted", "s", (0, (5, 1.5))), 2.2),
    ]
    for name in names:
        mine = lead[lead["algorithm"] == name]
        x = mine["values"].to_numpy(float)
        for column, word in (("var_error_worst", "worst"), ("var_error_median", "median")):
            style = STYLES[name] if word == "worst" else replace(STYLES[name], line=(0, (1, 1.5)))
            lines.append((f"{name}, {word}", x, mine[column].to_numpy(float), style, 1.4))
    zeros = sum(int((~(np.isfinite(y) & (y > 0))).sum()) for _, _, y, _, _ in lines[2:])
    wide, narrow = (_drawing(lines, n, narrow=narrow) for narrow in (False, True))
    return Drawn(wide, (_note(n, sampling, lead, names, storage, zeros),), narrow)


def _drawing(lines: Sequence[Line], n: Floats, *, narrow: bool) -> Markup:
    """Every line bears its name where it ends."""
    key = "bessel-narrow" if narrow else "bessel"
    with canvas(key):
        fig = Figure(figsize=(4.6, 4.4) if narrow else (12.4, 5.2), layout="constrained")
        ax = fig.add_subplot()
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ends = []
        for name, x, y, style, width in lines:
            ordinary = np.isfinite(y) & (y > 0)
            ax.plot(
                x, np.where(ordinary, y, np.nan), color=token(style.colour), marker=style.marker, ls=style.line,
                lw=width, ms=4.5,
            )  # fmt: skip
            if ordinary.any():
                ends.append((name, float(y[ordinary][-1]), style.colour))
        ticks = n[:: -(-len(n) // (6 if narrow else 12))]
        ax.set_xticks(ticks, [f"{v:.0f}" for v in ticks])
        ax.minorticks_off()
        name_ends(ax, ends)
        decades(ax, "y")
        ax.set_xlabel("values in each channel, n")
        ax.set_ylabel("relative error of the variance")
        label = "Sampling error, bias of a missing Bessel correction and rounding error against values in a channel"
        return svg(fig, key, label)


def _note(n: Floats, sampling: Floats, lead: pd.DataFrame, names: list[str], storage: str, zeros: int) -> Markup:
    text = sentence("bessel", n=n.tolist(), sampling=sampling.tolist(), storage=storage)
    drawn = lead[lead["algorithm"].isin(names) & np.isfinite(lead["var_error_worst"])]
    if len(drawn) and drawn["var_error_worst"].max() > 0:
        largest = drawn.loc[drawn["var_error_worst"].idxmax()]
        error, algorithm, values = (largest[name] for name in ("var_error_worst", "algorithm", "values"))
        ratio = float((drawn["sampling_error"] / drawn["var_error_worst"]).min())
        text += " " + sentence("bessel_rounding", error=error, algorithm=algorithm, n=values, ratio=ratio)
    if zeros:
        text += Markup(" Exact or failed, and so not on this axis: {} of the points.").format(zeros)
    return text
