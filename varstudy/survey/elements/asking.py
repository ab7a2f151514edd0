"""What the frameworks' norms are asked for: values, and ways to call a layer on them.

Images are (N, 64, 16, 16), for batch, group (8 groups) and instance norm; tables are (N, C), over C, for layer and RMS
norm. All are normal numbers with deviation 1 around an offset, rounded to the storage format; so are dy, scale (0.5 to
1.5) and shift. A given mean and variance are those of the values, rounded to the storage format.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import FORMATS

__all__ = ["EPSILON", "GROUPS", "IMAGES", "SEED", "TABLES", "Ask", "Input", "asks", "inputs"]

EPSILON = 1e-5
GROUPS = 8
SEED = 20
IMAGES = ("batch", "group", "instance")
TABLES = ("layer", "rms")
STORAGES = ("float32", "float16", "bfloat16")
CHANNELS = 64
# Offsets in deviations: none, what networks have, and what raw data have.
OFFSETS = {"float32": (0.0, 10.0, 1000.0), "float16": (0.0, 10.0, 300.0), "bfloat16": (0.0, 10.0, 30.0)}
# Terms of the sums that the gradients of scale and shift are.
ROWS = (256, 4096, 65536)
# The mean of dy, whose deviation is 0.5. No real network's was above 1.7 deviations: the second is a stress test.
GRADIENTS = {"ordinary": 0.1, "stress": 50.0}


@dataclass(frozen=True)
class Input:
    """Values for a layer.

    Attributes
    ----------
    name : its own. storage : the format. shape : of x. offset : the mean of x. dy : the mean of dy, whose deviation is
        0.5. what : forward or backward: what it is for.
    """

    name: str
    what: str
    storage: str
    shape: tuple[int, ...]
    offset: float
    dy: float

    def arrays(self) -> dict[str, NDArray[Any]]:
        """x, dy, weight, bias, mean, variance in the storage format; the same ones each time."""
        rng = np.random.default_rng([SEED, len(self.shape), self.shape[0], int(self.offset)])
        channels = self.shape[1]
        wide = {
            "x": rng.standard_normal(self.shape) + self.offset,
            "dy": rng.standard_normal(self.shape) * 0.5 + self.dy,
            "weight": rng.uniform(0.5, 1.5, channels),
            "bias": rng.standard_normal(channels),
        }
        along = tuple(a for a in range(len(self.shape)) if a != 1)
        wide |= {"mean": wide["x"].mean(axis=along), "variance": wide["x"].var(axis=along)}
        return {name: FORMATS[self.storage].rounded(values) for name, values in wide.items()}

    def record(self) -> dict[str, Any]:
        """For the head of the file."""
        return {**asdict(self), "shape": list(self.shape)}


@dataclass(frozen=True)
class Ask:
    """A way to call a layer on an input; its attributes are those of an `ElementRow`."""

    input: str
    what: str
    kind: str
    storage: str
    training: bool
    parameters: str
    memory: str


def inputs(rows: tuple[int, ...] = ROWS) -> list[Input]:
    """All values, for outputs and for gradients.

    Parameters
    ----------
    rows : terms of the sums of gradients.
    """
    found = []
    for storage in STORAGES:
        for offset in OFFSETS[storage]:
            for about, shape in (("images", (4, CHANNELS, 16, 16)), ("tables", (256, 768))):
                name = f"{storage} {about} offset {offset:g}"
                found.append(Input(name, "forward", storage, shape, offset, 0.0))
        for count, (word, mean) in itertools.product(rows, GRADIENTS.items()):
            for about, shape in (("images", (count // 256, CHANNELS, 16, 16)), ("tables", (count, CHANNELS))):
                found.append(Input(f"{storage} {about} {count} {word}", "backward", storage, shape, 0.0, mean))
    return found


def asks(one: Input) -> Iterator[Ask]:
    """Every way to call a layer on an input."""
    images = len(one.shape) == 4
    parameters: tuple[str, ...] = ("same", "absent") if one.storage == "float32" else ("same", "float32", "absent")
    if one.what == "backward":
        parameters = parameters[:-1]
    memories = ("contiguous", "channels-last") if images else ("contiguous",)
    for kind, parameter, memory in itertools.product(IMAGES if images else TABLES, parameters, memories):
        ask = Ask(one.name, one.what, kind, one.storage, True, parameter, memory)
        yield ask
        if kind == "batch" and one.what == "forward":
            yield replace(ask, training=False)
