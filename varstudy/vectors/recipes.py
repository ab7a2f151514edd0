"""Inputs of a case before truth and limits, and what makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import Format

from ..study.featuremaps.streams import Stream

__all__ = ["Floats", "Maker", "Recipe"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Recipe:
    """What a kernel gets.

    Attributes
    ----------
    family : its name. why : one sentence that says why it is here. x : the input, in the storage format.
    epsilon : of the norm. weight, bias, dy : arrays or None. groups : of group norm. correction : of a variance.
    memory : how x lies there: "rows", "channels-last" or "pitch" (rows with other numbers between them).
    cycle : (head, period): after `head` values x repeats with this period; (0, 0): it does not.
    """

    family: str
    why: str
    x: NDArray[Any]
    epsilon: float = 1e-5
    weight: NDArray[Any] | None = None
    bias: NDArray[Any] | None = None
    dy: NDArray[Any] | None = None
    groups: int = 0
    correction: int = 0
    memory: str = "rows"
    cycle: tuple[int, int] = (0, 0)

    def using(self, **other: Any) -> Recipe:
        """The same with other values."""
        return replace(self, **other)


class Maker:
    """Random arrays of a storage format, with the same bits on every machine.

    Parameters
    ----------
    key : what the numbers depend on. fmt : the storage format. seed : another set of the same kind.
    """

    def __init__(self, key: str, fmt: Format, seed: int) -> None:
        self.fmt = fmt
        self.stream = Stream(f"vectors/{key}/{fmt}", seed)

    def normal(self, *shape: int) -> Floats:
        """N(0, 1), not yet rounded."""
        return self.stream.normal(int(np.prod(shape))).reshape(shape)

    def whole(self, bound: int, *shape: int) -> Floats:
        """Whole numbers of 0 .. bound - 1."""
        return self.stream.below(int(np.prod(shape)), bound).reshape(shape)

    def put(self, values: Any) -> NDArray[Any]:
        """Values rounded to the storage format."""
        return self.fmt.rounded(values)

    def scale(self, *shape: int) -> NDArray[Any]:
        """A weight about 1, with a 0 and a negative number where there is room."""
        found = 1 + 0.25 * self.normal(*shape)
        flat = found.reshape(-1)
        if flat.size > 3:
            flat[1], flat[2] = 0.0, -flat[2]
        return self.put(found)

    def shift(self, *shape: int) -> NDArray[Any]:
        """A bias of about the size of the normalised values."""
        return self.put(0.5 * self.normal(*shape))
