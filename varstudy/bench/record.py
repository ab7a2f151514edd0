"""bench.json: a table of timings and errors, what made them, and how they stand to the targets."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..files import write_whole

__all__ = ["FORMAT", "LIMIT", "NAME", "SCHEMA_VERSION", "BenchProblem", "Row", "read", "write"]

SCHEMA_VERSION = 1
FORMAT = "varstudy-bench"
NAME = "bench.json"
# The contender that only reads.
LIMIT = "read limit"


class BenchProblem(ValueError):
    """A measurement that cannot be made or read: one sentence that says what to do."""


@dataclass
class Row:
    """One contender on one array.

    Attributes
    ----------
    norm : ``flat`` for an array of one dimension; batch, layer, instance or group; ``all``: those four, from one call.
    status : ``ok``, ``not installed`` or ``failed``; `reason` says why.
    seconds, low, high : median and quartiles of one call's wall time; rounds : how many rounds they are of.
    gbps : bytes of the array, in 10^9, over `seconds`. of_limit : the read limit's seconds over `seconds`.
    cpus : CPU time over wall time, median: more than `threads` where a library does not heed its limit.
    error : largest relative error of the answers against the exact variances. rounded : every answer is the
        exact variance correctly rounded, in the array's format or in the answer's own.
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

    def record(self) -> dict[str, Any]:
        """The row for JSON: NaN and infinities as the strings nan, inf, -inf."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in found.items()}


def _row(given: Mapping[str, Any]) -> Row:
    names = {each.name: str(each.type) for each in fields(Row)}
    if set(given) != set(names):
        raise ValueError(f"its columns are not {', '.join(names)}")
    found: dict[str, Any] = {}
    for name, kind in names.items():
        value = given[name]
        if kind == "float":
            numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not (numeric or value in ("nan", "inf", "-inf")):
                raise ValueError(f"{name} is {value!r}, which is no number")
            value = float(value)
        elif kind == "list[int]":
            if not isinstance(value, list) or not all(type(n) is int and n > 0 for n in value):
                raise ValueError(f"{name} is {value!r}, which is no shape")
        elif type(value).__name__ != kind:
            raise ValueError(f"{name} is {value!r}, which is no {kind}")
        found[name] = value
    return Row(**found)


def rows(content: Mapping[str, Any]) -> list[Row]:
    """The table of a bench.json that was read."""
    return [_row(given) for given in content["rows"]]


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a bench.json, whole or not at all.

    Raises
    ------
    OSError
        It cannot be written; what was there is left as it was.
    """
    head = {"format": FORMAT, "version": SCHEMA_VERSION, **{k: v for k, v in content.items() if k != "rows"}}
    text = json.dumps(head, indent=1, allow_nan=False)
    lines = ",\n".join(json.dumps(row, allow_nan=False) for row in content["rows"])
    write_whole(path, (text[:-2] + ',\n "rows": [\n' + lines + "\n ]\n}\n").encode())


def read(path: str | Path) -> dict[str, Any]:
    """The content of a bench.json, or of the one in a folder; its rows are fit for `rows`.

    Raises
    ------
    FileNotFoundError
        There is none.
    BenchProblem
        It cannot be read, or is none of this version.
    """
    file = Path(path)
    if file.is_dir():
        file = file / NAME
    again = "make it again with 'python -m varstudy bench'"
    try:
        content = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise BenchProblem(f"{file.name} cannot be read ({error}): {again}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BenchProblem(f"{file.name} is no benchmark of varstudy: {again}")
    if content.get("version") != SCHEMA_VERSION:
        raise BenchProblem(
            f"{file.name} has schema version {content.get('version')!r}, this program reads {SCHEMA_VERSION}: {again}"
        )
    try:
        for key, kind in (("settings", dict), ("provenance", dict), ("peers", list), ("targets", list)):
            if not isinstance(content[key], kind):
                raise ValueError(f"{key} is no {kind.__name__}")
        rows(content)
    except (KeyError, TypeError, ValueError) as error:
        raise BenchProblem(f"{file.name} was edited or cut ({error}): {again}") from error
    return content
