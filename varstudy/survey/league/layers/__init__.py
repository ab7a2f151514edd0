"""Every normalisation layer of the frameworks in the league: scored by the variance that its outputs imply.

A layer's outputs are a straight line over its inputs, y = (x - mean) / d, whose slope tells d and so the variance, to
the digits that float32 outputs resolve. An error is reported as at least that resolution: it is at most so large.

How a variance is read from outputs (`law`), how layers are asked and scored (`measuring`), what is kept
(`layers_record`).
"""

from __future__ import annotations

from .law import RESOLUTION, Law, implied, laws
from .layers_record import (
    COMMITTED,
    LAYER,
    LONGEST,
    NAME,
    LayerFact,
    committed,
    facts,
    ranked,
    read,
    rows,
    write,
)
from .measuring import Layers, chosen, measure

__all__ = [
    "COMMITTED",
    "LAYER",
    "LONGEST",
    "NAME",
    "RESOLUTION",
    "Law",
    "LayerFact",
    "Layers",
    "chosen",
    "committed",
    "facts",
    "implied",
    "laws",
    "measure",
    "ranked",
    "read",
    "rows",
    "write",
]
