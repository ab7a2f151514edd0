"""bench.json: a table of timings and errors, what made them, and how they stand to the targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._io.record_file import Cells, RecordFile

__all__ = [
    "COMMITTED",
    "FILE",
    "FORMAT",
    "LIMIT",
    "NAME",
    "SCHEMA_VERSION",
    "BenchProblem",
    "BenchRow",
    "committed",
    "excerpt",
    "panels",
    "read",
    "rows",
    "write",
]

SCHEMA_VERSION = 2
FORMAT = "varstudy-bench"
NAME = "bench.json"
COMMITTED = Path(__file__).parents[1] / "data" / NAME
# The contender that only reads.
LIMIT = "read limit"


class BenchProblem(ValueError):
    """A measurement that cannot be made or read: one sentence that says what to do."""


@dataclass
class BenchRow(Cells):
    """One contender on one array.

    Attributes
    ----------
    norm : ``flat`` for an array of one dimension; batch, layer, instance or group; ``all``: those four, from one call;
        or `tables.Table.name`.
    status : ``ok``, ``not installed`` or ``failed``; `reason` says why.
    seconds, low, high : median and quartiles of one call's wall time; rounds : how many rounds they are of.
    gbps : bytes of the array, in 10^9, over `seconds`. of_limit : the read limit's seconds over `seconds`.
    cpus : CPU time over wall time, median: more than `threads` where a library does not heed its limit.
    error : largest relative error of the answers against the exact variances; NaN where these are NaN. rounded :
        every answer is the exact variance correctly rounded, in the array's format or in the answer's own.
    """

    dtype: str
    shape: list[int]
    norm: str
    threads: int
    contender: str
    status: str = "ok"
    reason: str = ""
    rounds: int = 0
    loops: int = 0
    seconds: float = math.nan
    low: float = math.nan
    high: float = math.nan
    gbps: float = math.nan
    of_limit: float = math.nan
    cpus: float = math.nan
    error: float = math.nan
    rounded: bool = False

    @property
    def values(self) -> int:
        return math.prod(self.shape)


FILE = RecordFile(
    FORMAT,
    SCHEMA_VERSION,
    "benchmark",
    "make it again with 'python -m varstudy bench'",
    {"settings": dict, "provenance": dict, "peers": list, "targets": list},
    BenchProblem,
    name=NAME,
    row=BenchRow,
)
rows, write, read = FILE.rows, FILE.write, FILE.read


def committed() -> dict[str, Any]:
    """The benchmark that comes with the package.

    Raises
    ------
    FileNotFoundError
        The package has none.
    BenchProblem
        It cannot be read.
    """
    return read(COMMITTED)


def panels(found: Sequence[BenchRow]) -> list[list[BenchRow]]:
    """For each format the rows of the longest array of one dimension, with as few threads as were measured."""
    made = []
    for dtype in dict.fromkeys(row.dtype for row in found):
        mine = [row for row in found if row.dtype == dtype and row.norm == "flat"]
        mine = [row for row in mine if row.threads == min(r.threads for r in mine)]
        mine = [row for row in mine if row.values == max(r.values for r in mine)]
        if any(row.status == "ok" and row.contender != LIMIT for row in mine):
            made.append(mine)
    return made


def excerpt(content: Mapping[str, Any]) -> dict[str, Any]:
    """The panels of a benchmark, and when and on which processor it was measured: small enough to commit."""
    settings, provenance = content["settings"], content["provenance"]
    return {
        "settings": {name: settings[name] for name in ("data", "seed", "threads", "rounds")},
        "provenance": {
            "made": provenance["made"],
            "versions": provenance["versions"],
            "cpu": {name: provenance["cpu"][name] for name in ("model", "cores", "machine")},
        },
        "peers": content["peers"],
        "targets": [],
        "rows": [row.record() for panel in panels(rows(content)) for row in panel],
    }
