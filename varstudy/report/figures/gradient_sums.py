"""What the order of a sum does to a layer norm's bias gradient: error against rows, a panel for each format."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from ...study.gradient_orders import OrderRow
from .draw import Drawn, Style, canvas, decades, grid, name_ends, slim, svg, token

__all__ = ["ARRAY", "draw"]

ARRAY = "dbias"
_STYLES = {
    "running": Style("c0", "o"),
    "lanes32": Style("c1", "s", (0, (5, 1.5))),
    "pairwise": Style("c3", "D"),
    "blocked128": Style("c2", "^", (0, (4, 1.5, 1, 1.5))),
}


def draw(rows: Sequence[OrderRow]) -> Drawn:
    """The orders' errors of one gradient."""
    shown = [row for row in rows if row.array == ARRAY and 0 < row.error < np.inf]
    if not shown:
        return Drawn(None)
    wide, narrow = (_drawing(shown, narrow=narrow) for narrow in (False, True))
    return Drawn(wide, narrow=narrow)


def _drawing(rows: Sequence[OrderRow], *, narrow: bool) -> Markup:
    key = "gradient-sums-narrow" if narrow else "gradient-sums"
    formats = list(dict.fromkeys(row.accumulator for row in rows))
    down, across = (len(formats), 1) if narrow else (1, len(formats))
    sizes = sorted({row.rows for row in rows})
    errors = [row.error for row in rows]
    limits = min(*errors, 0.1) / 3, max(*errors, 1.0) * 2
    with canvas(key):
        fig = Figure(figsize=(4.6, 2.9 * down) if narrow else (4.1 * across, 3.4))
        axes = grid(fig, down, across, (0.7, 1.05, 0.55, 0.35), (1.25, 0.95)).reshape(-1)
        for place, (ax, name) in enumerate(zip(axes, formats, strict=True)):
            ax.set_xscale("log", base=2)
            ax.set_yscale("log")
            ends = []
            for order in dict.fromkeys(row.order for row in rows):
                own = sorted((r for r in rows if (r.accumulator, r.order) == (name, order)), key=lambda row: row.rows)
                if own:
                    style = _STYLES.get(order, Style("c7", "."))
                    x, y = [row.rows for row in own], [row.error for row in own]
                    ax.plot(x, y, color=token(style.colour), marker=style.marker, ls=style.line, mec=token("paper"),
                            mew=0.4, zorder=3)  # fmt: skip
                    ends.append((order, y[-1], style.colour))
            ax.set_ylim(*limits)
            ax.set_xlim(sizes[0] / 1.5, sizes[-1] * 1.5)
            ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
            ax.minorticks_off()
            decades(ax, "y", 6)
            name_ends(ax, ends)
            ax.set_title(name)
            ax.set_xlabel("rows")
            if narrow or not place:
                ax.set_ylabel(f"relative error of {ARRAY}")
        return slim(svg(fig, key, f"Relative error of {ARRAY} against rows, by order, {len(formats)} formats"))
