"""What the gates want of a main loop: loads in flight, and instructions a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...formats import FORMATS
from .turns import Turn

__all__ = ["LOADS", "MOST", "Pace", "pace_gates", "pace_of", "takes_vectors"]

# Loads that a thread issues before it uses any of them; half as many of 16-bit values where registers are short.
LOADS = 4
# Instructions a value of a turn, at most, on any target: by formula and kind, with a float32 accumulator. Others, such
# as compensated sums, have no limit.
MOST = {
    ("naive", "sweep4"): 6.5,
    ("mean", "sweep4"): 6.0,
    ("two_pass", "sweep4"): 6.5,
    ("chan", "sweep4"): 26.0,
    ("fast", "tile"): 8.5,
    ("fast", "thread"): 13.0,
    ("naive", "thread"): 15.0,
}


@dataclass(frozen=True)
class Pace:
    """itemsize : bytes of a value; 0 for a kernel that merges states. width : of a load that brings values. loads :
    that shall be in flight a thread, 0 where nothing is asked. most : instructions a value, at most."""

    itemsize: int
    width: int
    loads: int
    most: float


def takes_vectors(entry: Mapping[str, Any]) -> bool:
    """Whether 16-byte loads bring a kernel's values."""
    return entry["storage"] is not None and (entry["lanes"] == 4 or entry.get("kind") in ("tile", "exact"))


def pace_of(entry: Mapping[str, Any]) -> Pace:
    """What is wanted of a kernel.

    Parameters
    ----------
    entry : the kernel in the manifest; without a kind nothing is asked.
    """
    storage, kind = entry["storage"], entry.get("kind", "")
    if storage is None:
        return Pace(0, 0, 0, math.inf)
    size = FORMATS[storage].dtype.itemsize
    # The flow of the integers' loop is not followed on every target (8.0 to 8.9): nothing is asked of it.
    loads = 0 if kind == "exact" else LOADS // 2 if size == 2 and kind == "held" else LOADS
    named = f"{kind}{entry['lanes']}" if kind == "sweep" else kind
    most = MOST.get((entry.get("formula", ""), named), math.inf)
    width = 16 if takes_vectors(entry) else size
    return Pace(size, width, loads if kind else 0, most if entry["accumulator"] == "float32" else math.inf)


def pace_gates(at: str, pace: Pace, turn: Turn | None) -> list[str]:
    """A sentence for each gate that a main loop does not pass."""
    if not pace.loads:
        return []
    if turn is None:
        return [f"{at}: its SASS has no loop that loads values; wanted is one"]
    found = []
    if turn.loads < pace.loads:
        found.append(
            f"{at}: its main loop has {turn.loads} loads in flight before it uses one; wanted are {pace.loads}"
        )
    values = turn.loaded // pace.itemsize
    if turn.instructions > pace.most * values:
        issued = f"{turn.instructions / values:.1f}"
        found.append(f"{at}: its main loop issues {issued} instructions a value; wanted are at most {pace.most:g}")
    return found
