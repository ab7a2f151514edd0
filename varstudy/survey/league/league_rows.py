"""The rows that every function of the league gets: the study's cases, cut to a size that all libraries manage."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._io.matching import matches
from ...study import featuremaps
from ..callables.scoring import row_length, row_matrix
from ..libraries.declaring import LONG

__all__ = ["MAX_ROWS", "MAX_VALUES", "Matrix", "archive", "packed", "rows"]

MAX_ROWS = 4
# Values of one matrix: of long rows fewer are tried.
MAX_VALUES = 2**17


@dataclass(frozen=True, eq=False)
class Matrix:
    """The first rows of a case under its first norm, in one storage format.

    Attributes
    ----------
    key : its name among the others; the first word is the storage format. values : array (rows, length).
    """

    key: str
    case: str
    group: str
    storage: str
    values: NDArray[Any]

    @property
    def length(self) -> int:
        return int(self.values.shape[1])

    def described(self) -> dict[str, Any]:
        """What it is, for the file of what was measured on it."""
        return {"case": self.case, "group": self.group, "rows": len(self.values), "values": self.length}


def rows(
    level: str = "default",
    *,
    only: str | None = None,
    storages: Sequence[str] = (),
    seed: int = 0,
    max_length: int = LONG,
    max_rows: int = MAX_ROWS,
) -> tuple[list[Matrix], dict[str, str]]:
    """The matrices, and the cases that are left out, each with why.

    Raises
    ------
    ValueError
        Nothing is left; the level is unknown; the seed is negative.
    featuremaps.UnknownCase
        No case matches.
    """
    listed = [case for case in featuremaps.cases(level, seed) if only is None or matches(case.name, only)]
    if not listed:
        featuremaps.find(only or "")
        raise featuremaps.UnknownCase(f"case {only!r} is not in the level {level}")
    made: list[Matrix] = []
    left_out = {}
    for case in listed:
        length = row_length(case)
        if length > max_length:
            left_out[case.name] = f"rows of {length} values"
            continue
        count = max(1, min(max_rows, MAX_VALUES // max(1, length)))
        for storage in case.storages:
            if storages and storage not in storages:
                continue
            values, _ = row_matrix(case, case.make(storage, seed), count)
            made.append(Matrix(f"{storage} {len(made):04d}", case.name, case.group, storage, values))
    if not made:
        raise ValueError(f"nothing is left of {len(listed)} cases: allow longer rows or other storages")
    return made, left_out


def packed(matrices: Sequence[Matrix]) -> bytes:
    """The matrices as an .npz file; bfloat16 as the 16-bit integers that hold it, which any numpy can read."""
    return archive({m.key: m.values.view(np.uint16) if m.storage == "bfloat16" else m.values for m in matrices})


def archive(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Named arrays as an .npz file."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()
