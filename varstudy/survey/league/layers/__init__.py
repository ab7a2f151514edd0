"""Every normalisation layer of the frameworks in the league: scored by the variance that its outputs imply.

A layer's outputs are a straight line over its inputs, y = (x - mean) / d, whose slope tells d and so the variance, to
the digits that float32 outputs resolve. An error is reported as at least that resolution: it is at most so large.

What is asked (`asking`), how a variance is read from outputs (`law`), how it is scored (`measuring`), what is kept
(`record`).
"""

from __future__ import annotations

from .asking import chosen
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
from .measuring import Layers, measure

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
