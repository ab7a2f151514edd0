"""measured.json: what the frameworks' normalisation layers were found to do, one property a row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._io.record_file import Cells, RecordFile
from ..._io.unchanged import once
from .properties import SYNC

__all__ = [
    "COMMAND",
    "COMMITTED",
    "FORMAT",
    "NAME",
    "PROBE",
    "SCHEMA_VERSION",
    "ConventionsProblem",
    "FindingRow",
    "committed",
    "content",
    "merged",
    "read",
    "rows",
    "shown",
    "write",
]

SCHEMA_VERSION = 2
FORMAT = "varstudy-conventions"
NAME = "measured.json"
COMMAND = "python -m varstudy frameworks --out FILE"
COMMITTED = Path(__file__).parent.parent / "data" / NAME
PROBE = "probe"  # the property of a row that says only that a framework could not be asked


class ConventionsProblem(ValueError):
    """Findings that cannot be read: one sentence that says what to do."""


@dataclass
class FindingRow(Cells):
    """One property of one variant of a framework's layer.

    Attributes
    ----------
    framework : its name in `frameworks`.
    kind : batch, layer, group, instance, rms, or sync: batch norm on several ranks. variant : the adapter's name of an
        input rank, a layout, an opset; of kind sync, the layer, the batches' sizes and the ranks.
    property : what was asked, in the vocabulary of `properties`. value : JSON; empty where there is none.
    status : ``measured``, ``undetermined``, ``not applicable``, ``failed`` or ``not run``.
    detail : why it has this status, or how the value was found; empty where there is nothing to say.
    version : of the framework and of what it runs on. python : the version of its interpreter.
    threads : that it was given. A property that is the same with
        more threads has the row of one thread only.
    date : of the run, as in ``2026-11-24``. machine : the processor's model.

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


_FILE = RecordFile(FORMAT, SCHEMA_VERSION, "record of conventions", f"make it again with '{COMMAND}'", {"runs": list},
                   ConventionsProblem, name=NAME, row=FindingRow)  # fmt: skip
rows, write, read = _FILE.rows, _FILE.write, _FILE.read


@once
def _rows_of(path: Path) -> list[FindingRow]:
    return rows(read(path))


def committed() -> list[FindingRow]:
    """The findings that come with the package, in the file's order; none where they are not there. Nobody changes them.

    Raises
    ------
    ConventionsProblem
        The file cannot be read, is of another version, or was cut or edited.
    """
    try:
        return list(_rows_of(COMMITTED))
    except FileNotFoundError:
        return []


def content(found: Iterable[FindingRow]) -> dict[str, Any]:
    """What `write` takes: the rows, sorted, and a line for each framework's run.

    Parameters
    ----------
    found : the rows, in any order.
    """
    ordered = sorted(found, key=FindingRow.key)
    about = ("framework", "version", "python", "date", "machine")
    runs = dict.fromkeys(tuple(str(getattr(row, name)) for name in about) for row in ordered)
    return {"runs": [dict(zip(about, run, strict=True)) for run in runs], "rows": [row.record() for row in ordered]}


def merged(before: Iterable[FindingRow], after: Iterable[FindingRow]) -> list[FindingRow]:
    """The rows of both, sorted; each kind of layer of a framework that is in `after` is taken from there whole.

    A row that says that a framework could not be asked takes no findings away; it goes where `after` has findings of
    what it speaks of.

    Parameters
    ----------
    before, after : the rows that there were, and those that take their place.
    """
    new = list(after)
    found = {(row.framework, row.kind) for row in new if row.property != PROBE}
    # Of several ranks another script tells, which has a row of its own where it fails.
    found |= {(framework, "") for framework, kind in found if kind != SYNC}
    failed = {(row.framework, row.kind) for row in new if row.property == PROBE}
    kept = [
        row for row in before if (row.framework, row.kind) not in (found | failed if row.property == PROBE else found)
    ]
    return sorted([*kept, *new], key=FindingRow.key)


def shown(value: Any) -> str:
    """A value for a table: yes or no, a float to three digits, all else as it is; empty where there is none.

    Parameters
    ----------
    value : as `FindingRow.plain` gives it; of a list or a mapping, each of its values is given so.
    """
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(shown(each) for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {shown(v)}" for k, v in value.items())
    return str(value)
