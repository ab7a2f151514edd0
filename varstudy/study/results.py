"""The tidy table of a study: its schema and its files.

One row a (feature map, norm, storage, accumulator, algorithm, device, correction); the errors are aggregates over
the rows that the norm takes together. `results.json` holds the table and what its cases are; it depends on the
seed and the code alone, so that two runs give the same bytes. `provenance.json`, next to it, says where and how it was
made.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from varkernels.htmltable import SHOWN, table

from .._io.atomic import write_whole
from .._io.record_file import FileKind, check_integer, encode, load_json, number, shorten

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "KEY",
    "SCHEMA_VERSION",
    "Column",
    "Results",
    "ResultsProblem",
    "judged",
    "read",
    "write",
    "wrong",
]

SCHEMA_VERSION = 3
FORMAT = "varstudy-results"


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes
    ----------
    name : in the table's head.
    kind : ``str``, ``int`` or ``float``.
    unit : of its numbers, such as ``rows`` or ``ulp``; empty where there is none.
    meaning : a phrase.
    """

    name: str
    kind: str
    unit: str
    meaning: str


COLUMNS = tuple(Column(*row) for row in json.loads(Path(__file__).with_name("columns.json").read_text("utf-8")))
KEY = ("case", "norm", "groups", "storage", "accumulator", "algorithm", "device", "contraction", "correction")


class ResultsProblem(ValueError):
    """A results file cannot be used: one sentence that names it and says what to do."""


_FILE = FileKind(
    FORMAT,
    SCHEMA_VERSION,
    "results file",
    "run the study again",
    {"settings": dict, "columns": list, "cases": dict, "algorithms": dict},
    ResultsProblem,
)


@dataclass(frozen=True, eq=False)
class Results:
    """A study's table and what is known of it.

    Attributes
    ----------
    frame : pandas.DataFrame with the columns of `COLUMNS`, one row a measurement, in the study's order.
    cases : what each case is, by its name: rationale, source, observed, group, shape, layout, norms ...
    algorithms : what each algorithm is, by its name: title, summary, source, formula, order.
    settings : level, seed, only: what was asked for.
    provenance : versions, machine, commit, command line; empty where unknown.
    """

    frame: pd.DataFrame
    cases: Mapping[str, Mapping[str, Any]]
    algorithms: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        """The algorithms with the most digits as a table, for notebooks."""
        lines = []
        for name, rows in self.frame.groupby("algorithm", sort=False):
            digits = sorted(d for d in rows["var_digits_worst"].tolist() if not math.isnan(d))
            middle = digits[(len(digits) - 1) // 2] if digits else -math.inf
            none = int(wrong(rows).sum())
            lines.append((middle, (name, len(digits), _digits(middle), _digits(digits[0] if digits else middle), none)))
        lines.sort(key=lambda line: -line[0])
        more = len(lines) - SHOWN
        count = len(self.frame)
        return table(
            f"{count:,} measurement{'s' * (count != 1)} of {len(self.cases):,} cases by {len(self.algorithms):,} "
            "algorithms: correct digits of the variance, worst row",
            ("algorithm", "scored", "digits, median", "digits, worst", "wrong"),
            [line for _, line in lines[:SHOWN]],
            more=f"and {more:,} algorithm{'s' * (more != 1)} with fewer digits" if more > 0 else "",
        )


def _digits(value: float) -> str:
    return {math.inf: "exact", -math.inf: "none"}.get(value, f"{value:.1f}")


def judged(frame: pd.DataFrame) -> pd.Series[bool]:
    """Which measurements have a row that the judge calls right, inaccurate or wrong, or a NaN that may be missed."""
    return frame["rows_right"] + frame["rows_inaccurate"] + frame["rows_wrong"] + frame["rows_nonfinite"] > 0


def wrong(frame: pd.DataFrame) -> pd.Series[bool]:
    """Which measurements have a row that the judge calls wrong, or missed a NaN or an infinity in the data."""
    return (frame["rows_wrong"] > 0) | (frame["nonfinite_missed"] > 0)


def reproduce(case: str, seed: int) -> str:
    """The command line that measures a case's rows again."""
    quoted = "'" + case.replace("'", "'\\''") + "'"
    return f"python -m varstudy run --only {quoted}" + (f" --seed {seed}" if seed else "")


# Numbers in files -----------------------------------------------------------------------------------------------------


def decode(column: Column, value: Any) -> Any:
    """A cell of a file as the table has it.

    Raises
    ------
    ValueError
        The value is of another kind than the column's, or does not fit in 64 bits.
    """
    if column.kind == "float":
        return number(column.name, value)
    if column.kind == "int":
        check_integer(column.name, value)
    elif not isinstance(value, str):
        raise ValueError(f"{column.name} is {shorten(value)}, which is not text")
    return value


def _frame(rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - a second of import, needed by tables only

    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    types: dict[str, type] = {"str": object, "int": np.int64, "float": np.float64}
    return pd.DataFrame({c.name: np.array(v, dtype=types[c.kind]) for c, v in zip(COLUMNS, columns, strict=True)})


def from_records(
    records: Iterable[Mapping[str, Any]],
    *,
    cases: Mapping[str, Mapping[str, Any]],
    algorithms: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
) -> Results:
    """Results from one mapping a row, with the names of `COLUMNS` as keys."""
    names = [c.name for c in COLUMNS]
    frame = _frame([record[name] for name in names] for record in records)
    return Results(frame, cases, algorithms, settings, provenance or {})


def _rows(frame: pd.DataFrame, cell: Callable[[float], Any] | None = None) -> list[list[Any]]:
    """The table's rows in plain Python values.

    cell : what to make of a number that is not finite.
    """
    columns = []
    for c in COLUMNS:
        values = frame[c.name].tolist()
        if cell is not None and c.kind == "float":
            for k in np.flatnonzero(~np.isfinite(frame[c.name].to_numpy())).tolist():
                values[k] = cell(values[k])
        columns.append(values)
    return [list(row) for row in zip(*columns, strict=True)]


def to_json(results: Results) -> str:
    """The results as one JSON document, without provenance: the same text for the same settings and code."""
    return _FILE.text(
        {
            "settings": dict(results.settings),
            "columns": [[c.name, c.kind, c.unit, c.meaning] for c in COLUMNS],
            "cases": {name: dict(info) for name, info in results.cases.items()},
            "algorithms": {name: dict(info) for name, info in results.algorithms.items()},
            "rows": _rows(results.frame, encode),
        }
    )


def to_csv(results: Results) -> str:
    """The table as CSV: shortest decimals that give the same number back; nan, inf and -inf as these words."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([c.name for c in COLUMNS])
    writer.writerows(_rows(results.frame))
    return text.getvalue()


def write(results: Results, folder: str | Path, *, parquet: bool = False) -> list[Path]:
    """Write results.json, results.csv and provenance.json (and results.parquet) into a folder, each whole.

    Parameters
    ----------
    results : what `varstudy.run` or `read` gives.
    folder : made where it is not there.
    parquet : whether results.parquet is written too, which needs pyarrow.

    Returns
    -------
    The paths of the files that were written.

    Raises
    ------
    OSError
        The folder cannot be made or written; files that were there are left as they were.
    ImportError
        parquet is asked for and pyarrow is not installed.
    """
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / "results.json", out / "results.csv", out / "provenance.json"]
    write_whole(paths[0], to_json(results).encode())
    write_whole(paths[1], to_csv(results).encode())
    write_whole(paths[2], (json.dumps(results.provenance, indent=1, sort_keys=True) + "\n").encode())
    if parquet:
        paths.append(out / "results.parquet")
        try:
            data = results.frame.to_parquet(None, engine="pyarrow", index=False)
        except ImportError as error:
            raise ImportError("Parquet needs pyarrow: pip install 'varstudy[parquet]'") from error
        write_whole(paths[-1], data)
    return paths


def read(path: str | Path) -> Results:
    """Results from a results.json, or from a folder that holds one; with the provenance next to it, if any.

    Parameters
    ----------
    path : the file or the folder.

    Raises
    ------
    ResultsProblem
        The file is missing, unreadable, too large, has another version, or was modified.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "results.json"
    try:
        content = _FILE.read(file, str(file))
    except FileNotFoundError:
        raise ResultsProblem(f"{file} does not exist: make it with 'python -m varstudy run'") from None
    try:
        if [c[0] for c in content["columns"]] != [c.name for c in COLUMNS]:
            raise ResultsProblem(f"{file} has other columns than this version's: run the study again")
        for part in ("cases", "algorithms"):
            if not all(isinstance(info, dict) for info in content[part].values()):
                raise ValueError(f"{part} are no mappings")
        rows = [[decode(c, v) for c, v in zip(COLUMNS, row, strict=True)] for row in content["rows"]]
    except ResultsProblem:
        raise
    except (ValueError, TypeError, LookupError) as error:
        raise ResultsProblem(f"{file} has a damaged row ({error}): run the study again") from error
    return Results(_frame(rows), content["cases"], content["algorithms"], content["settings"], _provenance(file.parent))


def _provenance(folder: Path) -> dict[str, Any]:
    try:
        found = load_json((folder / "provenance.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
