"""The committed table of what every kernel takes on every target: one line each, so that a change is a short diff.

Made by ``python -m varkernels.cuda.audit``, read by the report. Reading needs no tool and no compiler.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import DeviceError
from ..library import FOLDER

__all__ = ["PATH", "TARGETS", "Row", "Table", "parse", "read", "render", "row_names"]

PATH = FOLDER / "resources.csv"
TARGETS = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")


@dataclass(frozen=True)
class Row:
    """One kernel on one target.

    Attributes
    ----------
    registers : of 32 bits, a thread.
    shared : static shared memory of a block, bytes.
    stack, spill_stores, spill_loads : local memory of a thread, bytes.
    barriers : named barriers that it uses.
    fadd .. dfma : instructions in the kernel's own SASS, loops as far unrolled as ptxas likes, what divisions become
        included.
    ldg16 .. ldg128 : loads from global memory by width in bits.
    code : bytes of instructions, the routines it calls included.
    loop_values : values that one turn of the main loop takes; 0 for a kernel that merges states.
    loop_add .. loop_div : that turn's sums, products, fused ones and divisions (reciprocals and roots too), in PTX.
    loop_issued : that turn's floating-point instructions in SASS, what divisions become included.
    turn_values, turn_issued : values that a turn of the main loop in SASS takes, and all its instructions (`turns`).
    turn_loads, turn_waiting : loads from global memory that a thread issues before it uses any, and their bytes.
    """

    kernel: str
    target: str
    registers: int
    shared: int
    stack: int
    spill_stores: int
    spill_loads: int
    barriers: int
    fadd: int
    fmul: int
    ffma: int
    dadd: int
    dmul: int
    dfma: int
    ldg16: int
    ldg32: int
    ldg64: int
    ldg128: int
    code: int
    loop_values: int
    loop_add: int
    loop_mul: int
    loop_fma: int
    loop_div: int
    loop_issued: int
    turn_values: int
    turn_issued: int
    turn_loads: int
    turn_waiting: int


COLUMNS = tuple(field.name for field in fields(Row))


@dataclass(frozen=True)
class Table:
    """The rows by kernel and target, and the ptxas that made them."""

    ptxas: str
    rows: dict[tuple[str, str], Row]


def row_names(manifest: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Under what name the table has each kernel of a manifest.

    Its own, or its entry's where one text serves both builds.
    """
    kernels = list(manifest)
    shared = Counter((kernel["file"], kernel["entry"]) for kernel in kernels)
    return {
        kernel["name"]: kernel["entry"] if shared[kernel["file"], kernel["entry"]] > 1 else kernel["name"]
        for kernel in kernels
    }


def _order(row: Row) -> tuple[str, int]:
    return row.kernel, TARGETS.index(row.target)


def render(rows: Iterable[Row], ptxas: str) -> str:
    """The table's text: the tool, the columns' names, then the rows by kernel and target."""
    out = io.StringIO()
    out.write(f"# ptxas {ptxas}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(row) for row in sorted(rows, key=_order))
    return out.getvalue()


def parse(text: str) -> Table:
    """The table of a text.

    Raises
    ------
    ValueError
        It is not such a table; the message says what is wrong.
    """
    first, _, rest = text.partition("\n")
    if not first.startswith("# ptxas "):
        raise ValueError(f"the first line is {first[:60]!r} and does not name the ptxas that made the table")
    lines = csv.reader(io.StringIO(rest))
    names = next(lines, [])
    if tuple(names) != COLUMNS:
        raise ValueError(f"the columns are {', '.join(names)[:200]!r}, not {', '.join(COLUMNS)!r}")
    rows: dict[tuple[str, str], Row] = {}
    for number, cells in enumerate(lines, start=3):
        if len(cells) != len(COLUMNS) or cells[1] not in TARGETS or not all(cell.isdigit() for cell in cells[2:]):
            raise ValueError(f"line {number} is no kernel, target and {len(COLUMNS) - 2} whole numbers: {cells}")
        row = Row(cells[0], cells[1], *(int(cell) for cell in cells[2:]))
        if rows.setdefault((row.kernel, row.target), row) is not row:
            raise ValueError(f"line {number} has {row.kernel} on {row.target} again")
    return Table(first.removeprefix("# ptxas "), rows)


def read(path: Path = PATH) -> Table:
    """The committed table.

    Raises
    ------
    DeviceError
        It is missing or is no such table.
    """
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DeviceError(
            f"the table of the kernels' resources {path} cannot be read ({problem}): run "
            "python -m varkernels.cuda.audit"
        ) from None
