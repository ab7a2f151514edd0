"""measured.json: what the frameworks' normalisation layers were found to do, one property a row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..recordfile import Cells, RecordFile

__all__ = [
    "COMMAND",
    "COMMITTED",
    "FORMAT",
    "NAME",
    "NOT_RUN",
    "SCHEMA_VERSION",
    "ConventionsProblem",
    "Row",
    "committed",
    "content",
    "merged",
    "read",
    "rows",
    "shown",
    "write",
]

SCHEMA_VERSION = 1
FORMAT = "varstudy-conventions"
NAME = "measured.json"
COMMAND = "python -m varstudy frameworks --out FILE"
COMMITTED = Path(__file__).with_name("data") / NAME
NOT_RUN = "not run"


class ConventionsProblem(ValueError):
    """Findings that cannot be read: one sentence that says what to do."""


@dataclass
class Row(Cells):
    """One property of one variant of a framework's layer.

    Attributes
    ----------
    kind : batch, layer, group, instance, rms, or sync: batch norm on several ranks. variant : the adapter's name of an
        input rank, a layout, an opset; of kind sync, the layer, the batches' sizes and the ranks.
    value : JSON; empty where there is none.
    status : ``measured``, ``undetermined``, ``not applicable``, ``failed`` or ``not run``; `detail` says why.
    version : of the framework and of what it runs on. threads : that it was given. A property that is the same with
        more threads has the row of one thread only.
    machine : the processor's model.

    A framework that could not be asked has one row with the status ``failed`` or ``not run`` and the property
    ``probe``, without kind and variant; one of kind sync says that alone of its script for several ranks.
    """

    framework: str
    kind: str
    variant: str
    property: str
    value: str
    status: str
    detail: str
    version: str
    python: str
    threads: int
    date: str
    machine: str

    def key(self) -> tuple[str, str, str, str, int]:
        """What it is about."""
        return self.framework, self.kind, self.variant, self.property, self.threads

    def plain(self) -> Any:
        """The value itself; None where there is none."""
        return json.loads(self.value) if self.value else None


_FILE = RecordFile(NAME, FORMAT, SCHEMA_VERSION, "record of conventions", COMMAND, Row, {"runs": list},
                   ConventionsProblem)  # fmt: skip
rows, write, read = _FILE.rows, _FILE.write, _FILE.read


def committed() -> list[Row]:
    """The findings that come with the package; none where they are not there.

    Raises
    ------
    ConventionsProblem
        The file is cut or edited.
    """
    try:
        return rows(read(COMMITTED))
    except FileNotFoundError:
        return []


def content(found: Iterable[Row]) -> dict[str, Any]:
    """What `write` takes: the rows, sorted, and a line for each framework's run."""
    ordered = sorted(found, key=Row.key)
    runs = {
        (row.framework, row.version, row.python, row.date, row.machine): {
            "framework": row.framework,
            "version": row.version,
            "python": row.python,
            "date": row.date,
            "machine": row.machine,
        }
        for row in ordered
    }
    return {"runs": list(runs.values()), "rows": [row.record() for row in ordered]}


def merged(before: Iterable[Row], after: Iterable[Row]) -> list[Row]:
    """The rows of both; a framework that is in `after` is taken from there whole."""
    new = list(after)
    anew = {row.framework for row in new}
    return sorted([*(row for row in before if row.framework not in anew), *new], key=Row.key)


def shown(value: Any) -> str:
    """A value for a table."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(shown(each) for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {shown(v)}" for k, v in value.items())
    return str(value)
