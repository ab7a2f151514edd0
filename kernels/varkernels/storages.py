"""The names of the formats of values and of accumulators, for code that does without numpy; `formats` has the rest."""

from __future__ import annotations

from .enums import StrEnum

__all__ = ["STORAGES", "WIDE", "Storage"]


class Storage(StrEnum):
    """A format that values are stored in, or accumulated in."""

    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"


STORAGES: tuple[str, ...] = tuple(storage.value for storage in Storage)
# Those that nearly all software has.
WIDE: tuple[str, ...] = (Storage.FLOAT32.value, Storage.FLOAT64.value)
