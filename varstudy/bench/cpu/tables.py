"""The tables that are timed, each with the axes to reduce."""

from __future__ import annotations

__all__ = ["TABLES"]

# Rows and columns, short and long: a scaler's features, a batch norm's channels, a layer norm's tokens, an ensemble.
TABLES = (
    ((100_000, 16), (1,)),
    ((1_000_000, 4), (1,)),
    ((4096, 768), (1,)),
    ((1000, 1000), (1,)),
    ((3, 200_000), (0,)),
    ((16, 100_000), (0,)),
    ((4096, 768), (0,)),
    ((1000, 1000), (0,)),
    ((100_000, 16), (0,)),
    ((32, 512, 7, 7), (0, 2, 3)),
    ((32, 56, 56, 64), (0, 1, 2)),
    ((64, 8), (1,)),
    ((4, 6), (1,)),
)
