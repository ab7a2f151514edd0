"""layers.json: how each layer did on each case, and how its variance is read from its outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...._io.record_file import Cells
from ...._io.unchanged import once
from ..league_record import LeagueFile, LeagueProblem
from ..ranking import LeagueStanding, together

__all__ = [
    "COMMITTED",
    "LAYER",
    "LONGEST",
    "NAME",
    "STORAGE",
    "LayerFact",
    "committed",
    "facts",
    "ranked",
    "read",
    "rows",
    "write",
]

NAME = "layers.json"
COMMITTED = Path(__file__).parent.parent.parent / "data" / NAME
COMMAND = "python -m varstudy libraries --layers --out DIR"
# The layers are scored on the league's rows in this format, up to this length.
STORAGE = "float32"
LONGEST = 20_000
# The library of a layer's row, before its framework's title.
LAYER = "layer of "


@dataclass
class LayerFact(Cells):
    """One layer: whether it was measured, and how its variance is read from its outputs.

    Attributes
    ----------
    function : its name in the league. status : ``measured``, ``failed``, ``not measured``; reason says why.
    title : the layer in its framework's words. correction, epsilon, place : of its `Law`. read_as : the variant whose
        law it is, where its own is undetermined.
    hidden : rows left out since epsilon hides their variance, or since all their values are equal: whatever equal
        outputs were divided by, they stay equal. coarse : rows left out since their outputs are so rough that they
        show no digit of any variance.
    repeated : as of `record.Fact`.
    """

    function: str
    framework: str
    kind: str
    variant: str
    status: str
    reason: str = ""
    title: str = ""
    version: str = ""
    python: str = ""
    date: str = ""
    machine: str = ""
    correction: int = 0
    epsilon: float = math.nan
    place: str = ""
    read_as: str = ""
    hidden: int = 0
    coarse: int = 0
    repeated: str = ""
    seconds: float = math.nan


_RECORD = LeagueFile(NAME, "varstudy-layers", "record of layers", COMMAND, LayerFact)
read, rows, facts, write = _RECORD.read, _RECORD.rows, _RECORD.facts, _RECORD.write
_read_once = once(_RECORD.read)


def committed() -> dict[str, Any]:
    """The layers that come with the package. Nobody changes them."""
    return _read_once(COMMITTED)


def ranked(league: Mapping[str, Any], layers: Mapping[str, Any], max_length: int = LONGEST) -> list[LeagueStanding]:
    """Layers, functions and our algorithms in one table, each on the cases that it can be scored on.

    Raises
    ------
    LeagueProblem
        The layers were measured on other cases than the league.
    """
    if league["cases"][STORAGE] != layers["cases"][STORAGE]:
        raise LeagueProblem(f"the layers were measured on other cases than the league: make both again ({COMMAND})")
    return together(league, STORAGE, max_length=max_length, more=rows(layers), shared=False)
