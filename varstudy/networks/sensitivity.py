"""How far a network's output moves where its norm layers are computed in another way, all of them or one at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.enums import StrEnum
from varkernels.formats import Format

from .._io.progress import Progress, Silent
from ..study.score import WRONG_ERROR
from .norm_layers import listed
from .replaced_norms import EXACT, Way, ways

__all__ = ["MODES", "Effect", "Outcome", "Outputs", "check_mode", "effects", "not_replaced"]

# "all": all norms together. "each": that, and every norm alone.
MODES = ("all", "each")
# The outputs of a network, of all batches, where some of its norms are computed in a way: by the layer's number.
Outputs = Callable[[Mapping[int, Way]], Sequence[NDArray[Any]]]


class Outcome(StrEnum):
    """What is left of an output: it is NaN or infinite somewhere; finite with no correct digit; or has an error."""

    NOT_FINITE = "not finite"
    WRONG = "finite, no correct digit"
    ERROR = "error"


@dataclass(frozen=True)
class Effect:
    """What one way to compute norms does to the output.

    Attributes
    ----------
    layer : the norm that is replaced; an empty string where all are. way : how it is computed.
    error : ||y - exact|| / ||exact||, Euclidean norms over an output array, the worst array of all batches; a number
        without unit: 1 is as large as the output. ``exact`` is the output with exact statistics in all norms and
        nothing rounded. Of the finite values alone where some are not finite.
    not_finite, values : values of the outputs that are NaN or infinite where the exact ones are not, and all of them.
    """

    layer: str
    way: str
    error: float
    not_finite: int
    values: int

    @property
    def outcome(self) -> Outcome:
        """NaN and infinities, and finite outputs whose error is above 1/10, are different failures."""
        if self.not_finite:
            return Outcome.NOT_FINITE
        return Outcome.ERROR if self.error <= WRONG_ERROR else Outcome.WRONG

    @property
    def badness(self) -> tuple[int, float]:
        """What sorts effects: not finite above all errors."""
        return self.not_finite, self.error

    def record(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {**vars(self), "outcome": self.outcome.value}


def check_mode(mode: str | None) -> None:
    """Refuse what is no mode.

    Raises
    ------
    ValueError
        It is none of `MODES`, and not None.
    """
    if mode is not None and mode not in MODES:
        raise ValueError(f"sensitivity {mode!r}: use {' or '.join(map(repr, MODES))}")


def not_replaced(names: Sequence[str]) -> list[str]:
    """A note on the norms whose output cannot be replaced; none where there are none."""
    sentence = "Not replaced for the sensitivity, since exact statistics do not give their output"
    return [f"{sentence}: {listed(names)}."] if names else []


def effects(
    names: Sequence[str], outputs: Outputs, fmt: Format, mode: str, progress: Progress | None = None
) -> list[Effect]:
    """What each way does to the output: all norms replaced and, in the mode ``each``, every norm alone.

    Parameters
    ----------
    names : of the norms that can be replaced. outputs : runs the network. fmt : stores what the ways round.
    progress : receives the runs of the network.
    """
    steps = progress or Silent()
    some = ways(fmt)
    alone = range(len(names)) if mode == "each" else range(0)
    steps.start(1 + len(some) * (1 + len(alone)), 0, "replacing norms")
    everywhere = dict.fromkeys(range(len(names)), EXACT)
    found = []
    try:
        exact = [np.asarray(each, np.float64) for each in outputs(everywhere)]
        steps.advance(str(EXACT))
        for way in some:
            found.append(_effect("", way, exact, outputs(dict.fromkeys(everywhere, way))))
            steps.advance(str(way))
        for k in alone:
            for way in some:
                found.append(_effect(names[k], way, exact, outputs({**everywhere, k: way})))
                steps.advance(names[k])
    finally:
        steps.stop()
    return found


def _effect(layer: str, way: Way, exact: Sequence[NDArray[np.float64]], computed: Sequence[NDArray[Any]]) -> Effect:
    error, lost, values = 0.0, 0, 0
    for one, given in zip(exact, computed, strict=True):
        other = np.asarray(given, np.float64)
        known = np.isfinite(one)
        both = known & np.isfinite(other)
        lost += int(np.count_nonzero(known & ~both))
        values += one.size
        size, off = (float(np.linalg.norm(each)) for each in (one[both], (other - one)[both]))
        error = max(error, off / size if size else math.inf if off else 0.0)
    return Effect(layer, str(way), error, lost, values)
