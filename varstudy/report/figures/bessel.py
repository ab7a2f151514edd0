"""Few values a channel: what sampling, a missing correction and rounding each cost, on one axis."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from ..model.facts import Facts
from ..rendering import sentence
from .draw import STYLES, Drawn, Floats, canvas, decades, svg, token

__all__ = ["draw"]

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
    lines = lead.drop_duplicates("values")
    n = lines["values"].to_numpy(float)
    sampling = lines["sampling_error"].to_numpy(float)
    names = [name for name in _ROUNDING if (lead["algorithm"] == name).any()]
    with canvas("bessel"):
        fig = Figure(figsize=(12.4, 5.8), layout="constrained")
        ax = fig.add_subplot()
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.plot(n, sampling, color=token("ink"), marker="o", lw=2.2, label="sampling: exact variance / population")
        ax.plot(
            n, 1 / n, color=token("c0"), marker="s", ls=(0, (5, 1.5)), lw=2.2,
            label="bias without the correction: 1/n",
        )  # fmt: skip
        zeros = 0
        for name in names:
            mine = lead[lead["algorithm"] == name]
            style = STYLES[name]
            for column, word, ls, alpha in (
                ("var_error_worst", "worst channel", style.line, 1.0),
                ("var_error_median", "median channel", (0, (1, 1.5)), 0.75),
            ):
                e = mine[column].to_numpy(float)
                ordinary = np.isfinite(e) & (e > 0)
                zeros += int((~ordinary).sum())
                ax.plot(
                    mine["values"].to_numpy(float), np.where(ordinary, e, np.nan),
                    color=token(style.colour if name != "naive" else "c5"), marker=style.marker, ls=ls,
                    lw=1.4, ms=4.5, alpha=alpha, label=f"rounding: {name}, {word}",
                )  # fmt: skip
        ax.set_xticks(n, [f"{v:.0f}" for v in n])
        ax.minorticks_off()
        decades(ax, "y")
        ax.set_xlabel("values in each channel, n (batch size times pixels)")
        ax.set_ylabel("relative error of the variance")
        fig.legend(loc="outside upper center", ncols=2)
        drawing = svg(
            fig, "bessel",
            "Sampling error, bias of a missing Bessel correction and rounding error against values in a channel",
        )  # fmt: skip
    return Drawn(drawing, (_note(n, sampling, lead, names, storage, zeros),))


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
