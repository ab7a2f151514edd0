"""gpu.json: what the checks found, and a table of timings on one GPU."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ..._io.record_file import Cells, RecordFile

__all__ = [
    "COPY",
    "FILE",
    "FORMAT",
    "NAME",
    "SCHEMA_VERSION",
    "GpuProblem",
    "GpuRow",
    "by_map",
    "read",
    "rows",
    "write",
]

SCHEMA_VERSION = 1
FORMAT = "varstudy-gpu"
NAME = "gpu.json"
# The contender that copies the feature map from one place on the device to another.
COPY = "device copy"


class GpuProblem(ValueError):
    """A measurement that cannot be made or read: one sentence that says what to do."""


@dataclass
class GpuRow(Cells):
    """One contender on one feature map under one norm.

    Attributes
    ----------
    shape : N, C, H, W, whatever the layout. groups : of group norm, 0 for the other norms.
    kind : ``kernel``, ``torch`` or ``copy``. accumulator : a kernel's; empty for the others.
    status : ``ok``, ``not applicable``, ``out of memory`` or ``failed``; `reason` says why.
    seconds, low, high : median and quartiles of the time on the device between two events; rounds : how many they
        are of. What the host does to launch the work is not in it, and the L2 cache holds nothing of the feature map.
    gbps : bytes moved, in 10^9, over `seconds`. A contender that reduces is counted as reading the feature map once,
        whatever it does; the copy as reading and writing it.
    of_copy : `gbps` over the copy's. of_torch : seconds of the fastest of PyTorch's over `seconds`: above 1 is faster.
    """

    shape: list[int]
    layout: str
    norm: str
    groups: int
    storage: str
    accumulator: str
    kind: str
    contender: str
    status: str = "ok"
    reason: str = ""
    rounds: int = 0
    seconds: float = math.nan
    low: float = math.nan
    high: float = math.nan
    gbps: float = math.nan
    of_copy: float = math.nan
    of_torch: float = math.nan


FILE = RecordFile(
    FORMAT,
    SCHEMA_VERSION,
    "GPU measurement",
    "make it again with 'python -m varstudy gpu'",
    {"settings": dict, "provenance": dict, "device": dict, "checks": dict, "targets": list},
    GpuProblem,
    name=NAME,
    row=GpuRow,
)
rows, write, read = FILE.rows, FILE.write, FILE.read


def by_map(given: Iterable[GpuRow]) -> dict[tuple[str, str, str], list[GpuRow]]:
    """The rows of each feature map: shape, such as 32x64x56x56, layout and storage."""
    found: dict[tuple[str, str, str], list[GpuRow]] = {}
    for row in given:
        found.setdefault(("x".join(map(str, row.shape)), row.layout, row.storage), []).append(row)
    return found
