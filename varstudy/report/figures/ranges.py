"""How far the formats reach: their normal numbers, and the numbers whose squares are normal too."""

from __future__ import annotations

from markupsafe import Markup
from matplotlib.figure import Figure

from varkernels import FORMATS

from ..words import number
from .draw import Drawn, canvas, decades, grid, svg, token

__all__ = ["draw"]

# float64 reaches so far that the others would be a dot.
_SHOWN = ("float16", "bfloat16", "float32")


def draw() -> Drawn:
    """A bar for each format."""
    wide, narrow = (_drawing(narrow=narrow) for narrow in (False, True))
    return Drawn(wide, narrow=narrow)


def _drawing(*, narrow: bool) -> Markup:
    key = "ranges-narrow" if narrow else "ranges"
    with canvas(key):
        fig = Figure(figsize=(4.6, 1.3) if narrow else (6.6, 1.3))
        ax = grid(fig, 1, 1, (0.68, 1.45 if narrow else 1.7, 0.35, 0.28), (0.0, 0.0))[0, 0]
        ax.set_xscale("log")
        across = ax.get_yaxis_transform()
        # The numbers stand in columns right of the bars: the ends of a short bar are near each other.
        columns = ((1.03, "largest x", "ink"), (1.3 if narrow else 1.2, "x² fits to", "c1"))
        for at, head, colour in columns:
            ax.text(at, -1, head, transform=across, va="center", fontsize=9, color=token(colour))
        for place, name in enumerate(_SHOWN):
            low, high = (float(end) for end in (FORMATS[name].smallest_normal, FORMATS[name].largest))
            ax.plot([low, high], [place, place], color=token("c7"), lw=4, solid_capstyle="butt")
            ax.plot([low**0.5, high**0.5], [place, place], color=token("c1"), lw=9, solid_capstyle="butt")
            for (at, _, colour), end in zip(columns, (high, high**0.5), strict=True):
                said = number(end, 5 if end < 1e5 else 3)
                ax.text(at, place, said, transform=across, va="center", fontsize=9, color=token(colour))
        ax.set_xlim(1e-40, 1e40)
        ax.set_ylim(len(_SHOWN) - 0.5, -0.5)
        ax.set_yticks(range(len(_SHOWN)), _SHOWN)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="y", visible=False)
        decades(ax, "x", 5 if narrow else 9)
        return svg(fig, key, "Range of each format, and the numbers whose squares are in range")
