"""What the benchmarks share: the norms of a feature map, and targets, the wanted ratio of two medians of one run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from varkernels.layouts import Norm

__all__ = ["NORMS", "Target", "noise", "read_targets"]

NORMS: tuple[str, ...] = (Norm.BATCH.value, Norm.LAYER.value, Norm.INSTANCE.value, Norm.GROUP.value)
# Quartiles further apart than this share of the median make a ratio doubtful.
NOISY = 0.25


class Timing(Protocol):
    """A row with a median and quartiles."""

    seconds: float
    low: float
    high: float


@dataclass(frozen=True)
class Target:
    """A target and what was measured, NaN where nothing was; `note` says why, or what makes the measure doubtful."""

    name: str
    dtype: str
    wanted: float
    at_most: bool
    measured: float
    note: str = ""

    @property
    def met(self) -> bool | None:
        if math.isnan(self.measured):
            return None
        return self.measured <= self.wanted if self.at_most else self.measured >= self.wanted

    def record(self) -> dict[str, Any]:
        measured = None if math.isnan(self.measured) else self.measured
        return {**asdict(self), "measured": measured, "met": self.met}


def noise(*rows: Timing) -> str:
    """A warning where the quartiles of a timing are far apart."""
    spread = max((row.high - row.low) / row.seconds for row in rows)
    return f"noisy (quartiles {100 * spread:.0f} % apart)" if spread > NOISY else ""


def read_targets(content: Sequence[dict[str, Any]]) -> list[Target]:
    """Read targets that were written with `Target.record`."""
    return [
        Target(
            str(each["name"]), str(each["dtype"]), float(each["wanted"]), bool(each["at_most"]),
            math.nan if each["measured"] is None else float(each["measured"]), str(each["note"]),
        )
        for each in content
    ]  # fmt: skip
