"""What a variance does to a layer's output: the error of y = (x - mean) / sqrt(variance + epsilon)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator

from varkernels import FORMATS

from ..model.facts import Facts
from ..model.summary import ORDINARY
from ..rendering import sentence
from ..words import code, count, number, superscript
from .draw import KNOWN, STYLES, Drawn, canvas, svg, token

__all__ = ["NAMES", "draw"]

NAMES = (*KNOWN, "exact")
PAIRS = (
    ("float16", "float16"),
    ("float16", "float32"),
    ("bfloat16", "bfloat16"),
    ("bfloat16", "float32"),
    ("float32", "float32"),
)

Reach = tuple[float, float, str]  # largest error, median error, the map of the largest
Panel = tuple[str, str, int, dict[str, Reach]]  # storage, accumulator, lines, and each algorithm's


def reaches(rows: pd.DataFrame) -> dict[str, Reach]:
    """For each algorithm the largest and the median error of y over the lines, infinite where y is not finite."""
    found: dict[str, Reach] = {}
    for name in NAMES:
        mine = rows[rows["algorithm"] == name]
        error = mine["y_error_worst"].fillna(np.inf).to_numpy(float)
        if len(error):
            place = int(error.argmax())
            found[name] = (float(error[place]), float(np.median(error)), str(mine["case"].iloc[place]))
    return found


def draw(facts: Facts) -> Drawn:
    """Ordinary feature maps, a panel for each pair of formats."""
    frame = facts.figures
    rows = frame[frame["group"].isin(ORDINARY) & frame["scored"] & frame["algorithm"].isin(NAMES)]
    panels = []
    for storage, accumulator in PAIRS:
        mine = rows[(rows["storage"] == storage) & (rows["accumulator"] == accumulator)]
        found = reaches(mine)
        if found:
            panels.append((storage, accumulator, mine["line"].nunique(), found))
    if not panels:
        return Drawn(None)
    names = [name for name in NAMES if any(name in panel[3] for panel in panels)]
    finite = [v for panel in panels for reach in panel[3].values() for v in reach[:2] if 0 < v < np.inf] or [1e-8, 1.0]
    low, high = np.floor(np.log10(min(finite))), np.ceil(np.log10(max(*finite, 1.0)) + 0.01)
    wide, narrow = (_drawing(panels, names, low, high, narrow=narrow) for narrow in (False, True))
    kinds = [word for group, word in ORDINARY.items() if (rows["group"] == group).any()]
    lead = sentence("output", maps=rows["case"].nunique(), kinds=kinds)
    return Drawn(wide, (lead, *(_note(*panel) for panel in panels)), narrow)


def _drawing(panels: Sequence[Panel], names: Sequence[str], low: float, high: float, *, narrow: bool) -> Markup:
    """The panels side by side; one above the other for a narrow screen."""
    key = "output-narrow" if narrow else "output"
    beyond, exact = 10.0 ** (high + 0.9), 10.0 ** (low - 0.6)
    with canvas(key):
        size = (4.6, 2.15 * len(panels) + 0.5) if narrow else (12.4 if len(panels) > 2 else 8.0, 1.4 + 0.2 * len(names))
        fig = Figure(figsize=size, layout="constrained")
        first = None
        for place, (storage, accumulator, lines, found) in enumerate(panels):
            shape = (len(panels), 1) if narrow else (1, len(panels))
            ax = fig.add_subplot(*shape, place + 1, sharey=first)
            first = first or ax
            ax.set_xscale("log")
            for y, name in enumerate(names):
                if name not in found:
                    continue
                at = [float(np.clip(v, exact, None)) if np.isfinite(v) else beyond for v in found[name][:2]]
                style = STYLES.get(name)
                colour, marker = (style.colour, style.marker) if style else ("c7", "*")
                ax.plot(at, [y, y], color=token(colour), lw=1.2, clip_on=False)
                ax.plot(at[:1], [y], color=token(colour), marker=marker, ls="none", ms=8, clip_on=False)
                ax.plot(
                    at[1:], [y], color=token(colour), marker=marker, ls="none", ms=7, mfc=token("paper"), clip_on=False
                )
            ax.set_xlim(exact / 1.5, beyond * 2.2)
            ax.add_artist(
                Rectangle((10.0 ** (high + 0.3), -1), 10.0 ** (high + 1.3), len(names) + 2, color=token("strip"), lw=0)
            )
            ax.text(
                1.0, 1.01, "NaN, ∞", transform=ax.transAxes, fontsize=8.5, ha="right", va="bottom", color=token("muted")
            )
            ax.axvline(float(FORMATS[storage].unit_roundoff), color=token("muted"), lw=1.2, ls=(0, (2, 2)))
            ax.set_title(f"{storage} in {accumulator}" if narrow else f"{storage}\nin {accumulator}", fontsize=10.5)
            ax.set_ylim(len(names) - 0.4, -0.6)
            ax.set_yticks(range(len(names)), names)
            ax.tick_params(axis="y", labelleft=narrow or place == 0, length=0)
            ax.grid(axis="y", visible=False)
            # Three decades apart: labels of nearer ones cover each other.
            ticks = [10.0**k for k in range(int(low), int(high) + 1) if k % 3 == 0]
            ax.xaxis.set_major_locator(FixedLocator(ticks))
            ax.xaxis.set_minor_locator(FixedLocator([]))
            ax.set_xticks(ticks, [superscript(round(np.log10(tick))) for tick in ticks])
            if not narrow or place == len(panels) - 1:
                ax.set_xlabel(f"error of y, {count(lines, 'line')}")
        handles = [
            Line2D([], [], color=token("ink"), marker="o", ls="none", ms=8, label="worst"),
            Line2D([], [], color=token("ink"), marker="o", mfc=token("paper"), ls="none", ms=7, label="median"),
            Line2D([], [], color=token("muted"), ls=(0, (2, 2)), label="storing y (u)"),
        ]
        fig.legend(handles=handles, loc="outside upper center", ncols=3)
        return svg(fig, key, "Error of the normalised output, worst and median line, by algorithm and formats")


def _note(storage: str, accumulator: str, lines: int, found: dict[str, Reach]) -> Markup:
    u = float(FORMATS[storage].unit_roundoff)
    hidden = [name for name, reach in found.items() if reach[0] <= u]
    seen = sorted(((reach, name) for name, reach in found.items() if reach[0] > u), key=lambda p: -p[0][0])
    worst = [
        Markup("{} {} ({})").format(code(name), "NaN or ∞" if np.isinf(r[0]) else number(r[0], 2), code(r[2]))
        for r, name in seen[:3]
    ]
    said = {"storage": storage, "accumulator": accumulator, "lines": lines}
    return sentence("output_panel", **said, hidden=hidden, worst=worst)
