"""How many rows the first pass leaves undecided, family by family: ``python -m varkernels.certified.rates``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..formats import FORMATS
from .first import Asked, swept

__all__ = ["families", "table"]

Floats = NDArray[np.float64]

# Values in a row, and rows of so many.
LENGTHS = {8: 20_000, 64: 5000, 1000: 500}


def families(rng: np.random.Generator, rows: int, n: int) -> Iterator[tuple[str, Floats]]:
    """Rows of n values that are hard in different ways: (name, float64 array (rows, n)). Some are not finite, and in a
    narrow format some overflow or underflow."""
    z = rng.standard_normal((rows, n))

    def spread(low: int, high: int) -> NDArray[np.int64]:
        return rng.integers(low, high, (rows, 1))

    yield "N(0, 1)", z
    for kappa in (1e4, 1e8, 1e12):
        yield f"kappa {kappa:.0e}", z + kappa
    yield "bytes", rng.integers(0, 256, (rows, n)).astype(np.float64)
    yield "averages of 64 bytes", rng.integers(0, 256 * 64, (rows, n)) / 64
    yield "integers of 27 bits", rng.integers(-(2**27), 2**27, (rows, n)).astype(np.float64)
    yield "constants", np.repeat(z[:, :1], n, axis=1)
    yield "nearly constant", 1.0 + np.where(rng.random((rows, n)) < 0.2, 2.0 ** -spread(5, 52), 0.0)
    yield "two neighbours", np.where(rng.random((rows, n)) < 0.5, 0.1, 0.1 * (1.0 + 2.0 ** -spread(3, 52)))
    yield "heavy tails", np.exp(20.0 * z) * np.sign(rng.standard_normal((rows, n)))
    yield "tiny", z * 10.0 ** spread(-320, -20)
    yield "huge", z * 10.0 ** spread(3, 307)
    yield "mean of zero", np.concatenate([z[:, : n // 2], -z[:, : n // 2]], axis=1) if n > 1 else z
    yield "zeros with a spike", np.where(rng.random((rows, n)) < 0.02, z, 0.0)
    for value in (np.nan, np.inf, -np.inf):
        some = z.copy()
        some[rng.random((rows, n)) < 0.03] = value
        yield f"{value}", some


def table() -> str:
    """The share of undecided variances, in per cent, as a table in Markdown: a line for each family, a column for each
    format and length of row; seeded."""
    columns = [(fmt, n, rows) for fmt in FORMATS.values() for n, rows in LENGTHS.items()]
    shares: dict[str, list[str]] = {}
    for fmt, n, rows in columns:
        for name, values in families(np.random.default_rng(n), rows, n):
            x = fmt.rounded(values)
            found = swept(x[np.newaxis, np.newaxis], fmt, Asked(("var",), (0, 1), fmt))
            share = 100.0 * found[1] / rows if found is not None else 100.0
            shares.setdefault(name, []).append(f"{share:.3g}")
    head = ["values", *(f"{fmt}, {n}" for fmt, n, _ in columns)]
    lines = [head, ["---"] * len(head), *([name, *cells] for name, cells in shares.items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    print(table(), end="")
