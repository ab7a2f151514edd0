"""The look of the notebooks' figures, set by importing it, and their five colours."""

from __future__ import annotations

import matplotlib.pyplot as plt

__all__ = ["BLUE", "GREEN", "GREY", "ORANGE", "VIOLET"]

ORANGE, BLUE, GREEN, VIOLET, GREY = "#c03d00", "#0064ad", "#007a5a", "#4d3db3", "#7a7f87"

plt.rcParams.update(
    {
        "figure.dpi": 90,
        "figure.constrained_layout.use": True,
        "font.size": 10,
        "legend.frameon": False,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e3e3df",
    }
)
