"""The tables that are timed: arrays, what their values are, the axes to reduce, and a mask where there is one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import Format, format_of

__all__ = ["HARD", "ORDINARY", "SIXTEEN", "TABLES", "VALUES", "Table", "array_of", "mask_of"]

# Formats that few contenders take.
SIXTEEN = ("float16", "bfloat16")
ORDINARY = "1000 + N(0, 1)"
Floats = NDArray[np.float64]

# Values by name, float64, from standard normal ones and the format they are for.
VALUES: dict[str, Callable[[np.random.Generator, Floats, Format], Floats]] = {
    "N(0, 1)": lambda rng, z, fmt: z,
    "bytes": lambda rng, z, fmt: rng.integers(0, 256, z.shape).astype(np.float64),
    "averages of 64 bytes": lambda rng, z, fmt: rng.integers(0, 256 * 64, z.shape) / 64.0,
    # kappa 1e8 in float64, 1e5 in float32, which does not hold more.
    "large mean": lambda rng, z, fmt: 1.0 + z * (1e-8 if fmt.precision == 53 else 1e-5),
    "constants": lambda rng, z, fmt: np.full(z.shape, 1.3),
    "exp(20 z)": lambda rng, z, fmt: np.exp(np.clip(20.0 * z, -40.0, 40.0)),
    "NaN": lambda rng, z, fmt: np.full(z.shape, np.nan),
    "subnormal": lambda rng, z, fmt: z * float(fmt.smallest_normal) / 64.0,
}


@dataclass(frozen=True)
class Table:
    """An array that is timed.

    Attributes
    ----------
    values : `ORDINARY`, or a name of `VALUES`. masked : about seven values in ten count.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    values: str = ORDINARY
    masked: bool = False

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def name(self) -> str:
        """What is reduced, as `BenchRow.norm` has it: ``axis 0``; ``axes 0, 2, 3``; ``axis 1, bytes, where``."""
        words = ("axis " if len(self.axes) == 1 else "axes ") + ", ".join(map(str, self.axes))
        return words + f", {self.values}" * (self.values != ORDINARY) + ", where" * self.masked

    def record(self) -> list[object]:
        return [list(self.shape), list(self.axes), self.values, self.masked]


# Rows and columns, short and long: a scaler's features, a batch norm's channels, a layer norm's tokens, an ensemble.
TABLES = (
    Table((100_000, 16), (1,)),
    Table((1_000_000, 4), (1,)),
    Table((4096, 768), (1,)),
    Table((1000, 1000), (1,)),
    Table((3, 200_000), (0,)),
    Table((16, 100_000), (0,)),
    Table((4096, 768), (0,)),
    Table((1000, 1000), (0,)),
    Table((100_000, 16), (0,)),
    Table((32, 512, 7, 7), (0, 2, 3)),
    Table((32, 56, 56, 64), (0, 1, 2)),
    Table((64, 8), (1,)),
    Table((4, 6), (1,)),
)
# Values that first passes cannot decide or that slow arithmetic down, and masks: against numpy alone.
HARD = (
    Table((30_000, 64), (1,), "N(0, 1)"),
    Table((30_000, 64), (1,), "bytes"),
    Table((100_000, 8), (1,), "averages of 64 bytes"),
    Table((30_000, 64), (1,), "large mean"),
    Table((30_000, 64), (1,), "constants"),
    Table((30_000, 64), (1,), "exp(20 z)"),
    Table((30_000, 64), (1,), "NaN"),
    Table((30_000, 64), (1,), "subnormal"),
    Table((30_000, 64), (1,), "N(0, 1)", masked=True),
    Table((64, 8), (1,), "N(0, 1)", masked=True),
    Table((4, 6), (1,), "N(0, 1)", masked=True),
)


def array_of(table: Table, dtype: str, seed: int) -> NDArray[np.generic]:
    """The values of a table that are not ordinary, each rounded once to the format; the same for the same arguments."""
    rng = np.random.default_rng([seed, *table.shape])
    fmt = format_of(dtype)
    return fmt.rounded(VALUES[table.values](rng, rng.standard_normal(table.shape), fmt))


def mask_of(shape: Sequence[int], seed: int) -> NDArray[np.bool_]:
    """The values that count: about seven in ten, and two at least in each row of a table with two axes."""
    mask: NDArray[np.bool_] = np.random.default_rng([seed, *shape, 1]).random(tuple(shape)) < 0.7
    mask[..., :2] = True
    return mask
