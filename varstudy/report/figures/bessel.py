"""Few values a channel: what sampling, a missing correction and rounding each cost, on one axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from ..model.facts import Facts
from ..words import code, number, percent
from .draw import STYLES, Drawn, Floats, canvas, decades, svg, token

if TYPE_CHECKING:
    import pandas as pd

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
        floor = []
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
                floor += e[ordinary].tolist()
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
    first, last = 0, len(n) - 1
    text = Markup(
        "Standard normal values, many channels of n values each, in {}. With n = {} the exact variance of a "
        "channel misses the population's by {} (root mean square), and leaving Bessel's correction out makes it "
        "low by {} on average; with n = {} by {} and {}."
    ).format(
        storage,
        f"{n[first]:.0f}",
        percent(sampling[first]),
        percent(1 / n[first]),
        f"{n[last]:,.0f}",
        percent(sampling[last]),
        percent(1 / n[last]),
    )
    drawn = lead[lead["algorithm"].isin(names) & np.isfinite(lead["var_error_worst"])]
    if len(drawn) and drawn["var_error_worst"].max() > 0:
        largest = drawn.loc[drawn["var_error_worst"].idxmax()]
        ratios = drawn["sampling_error"] / drawn["var_error_worst"]
        ratio = float(ratios.min())
        text += Markup(
            " The largest rounding error drawn is {} ({}, n = {}). At every n measured the sampling error is at "
            "least {} times the worst rounding error of each algorithm drawn"
        ).format(
            number(float(largest["var_error_worst"])),
            code(largest["algorithm"]),
            f"{largest['values']:,}",
            number(ratio, 2),
        )
        text += Markup(
            ": it is few values, and not arithmetic, that makes batch statistics noisy on small batches of "
            "centred data."
            if ratio > 1
            else "."
        )
    if zeros:
        text += Markup(" Exact or failed, and so not on this axis: {} of the points.").format(zeros)
    return text
