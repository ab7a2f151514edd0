"""What a formula is, and how a count becomes a number of the accumulator's type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..formats import BFLOAT16, format_of

__all__ = ["Formula", "like"]


@dataclass(frozen=True, eq=False)
class Formula:
    """A way to compute (mean, M2) of a stream of values.

    Attributes
    ----------
    name : how users call it.
    title : the same for a table's head.
    summary : one sentence: the formula and its weakness.
    source : author, year, DOI or section.
    state : the NamedTuple of scalars that the verbs carry.
    update, read, merge, start : the verbs; `merge` and `start` may be None.
    centre : what the state starts round: None (nothing), "first" (the row's first value), "given" (the
        caller's argument) or a Formula whose `read` gives it: a first sweep in the same order. Such a formula
        reads a pair (high, low) whose sum is the centre, and is no algorithm by itself.
    """

    name: str
    title: str
    summary: str
    source: str
    state: type
    update: Callable[..., Any]
    read: Callable[..., Any]
    merge: Callable[..., Any] | None = None
    start: Callable[..., Any] | None = None
    centre: str | Formula | None = None

    def __post_init__(self) -> None:
        if (self.centre is None) != (self.start is None):
            raise ValueError(f"formula {self.name!r}: a centre and the verb start go together")
        if isinstance(self.centre, str) and self.centre not in ("first", "given"):
            raise ValueError(f"formula {self.name!r}: centre {self.centre!r} is not 'first' or 'given'")

    @property
    def sweeps(self) -> int:
        """How often the values are read."""
        return 1 + (self.centre.sweeps if isinstance(self.centre, Formula) else 0)

    @property
    def mergeable(self) -> bool:
        """Whether two states can become one (the first sweep's too)."""
        first = self.centre
        return self.merge is not None and (not isinstance(first, Formula) or first.mergeable)


def like(exemplar: Any, value: Any) -> Any:
    """`value`, an integer or a float, rounded to nearest even in the exemplar's type; arrays elementwise."""
    scalar = type(exemplar)
    if isinstance(exemplar, np.ndarray):
        return format_of(exemplar.dtype).rounded(value)
    # bfloat16's own constructor rounds twice.
    return BFLOAT16.rounded(value)[()] if scalar is BFLOAT16.dtype.type else scalar(value)
