"""The cells of a study: one case in one storage format each, kept on disk when it is measured.

A cell's file is named by a hash of everything that decides its records: the input, the seed, the sources and the
versions. It carries a checksum of its records, so that a damaged one is known, and measured again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from varkernels.folders import source_hash

from .._io.atomic import write_whole
from .._io.matching import matches
from . import device_algorithms, featuremaps
from .featuremaps import Case
from .measuring import ACCUMULATORS

__all__ = ["Cell", "DamagedCell", "Measured", "load", "plan", "save", "select"]


@dataclass(frozen=True)
class Cell:
    """One case in one storage format."""

    case: Case
    storage: str

    @property
    def label(self) -> str:
        return f"{self.case.name} {self.storage}"

    @property
    def work(self) -> int:
        """Values that one algorithm reads."""
        return self.case.elements * len(self.case.norms) * len(ACCUMULATORS[self.storage]) + 2000

    def key(self, seed: int) -> str:
        """A hash of all that decides the cell's records."""
        parts = [sources_hash(), source_hash(), device_algorithms.code_hash(), self.case.name, self.storage, str(seed)]
        if self.case.group == "photo":
            parts += [_version("scikit-learn"), _version("pillow")]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True)
class Measured:
    """What a finished cell holds.

    Attributes
    ----------
    records : one mapping a row of the table, as `results.COLUMNS` names them.
    problems : what a device could not do; it is tried again.
    """

    records: list[dict[str, Any]]
    problems: list[str]


class DamagedCell(ValueError):
    """The file of a cell is not what was written."""


# What decides no record: the schedule of the cells, and what is concluded from the table.
_NOT_MEASURING = (
    "algorithm_answers", "cells", "comparison", "course", "explanation", "growth", "phases", "pool", "population",
    "recommendation", "runner", "tasks", "verdict", "verdict_facts", "verdict_words",
)  # fmt: skip


@cache
def sources_hash(root: Path = Path(__file__).parent) -> str:
    """A hash of every file of this package that takes part in a measurement, and of mpmath's version.

    Parameters
    ----------
    root : the package's folder. A module, or a JSON file, takes part unless it is listed here as one that does not.
    """
    digest = hashlib.sha256(f"mpmath=={_version('mpmath')}".encode())
    others = {root / f"{name}{end}" for name in _NOT_MEASURING for end in (".py", ".json")}
    for path in sorted({*root.rglob("*.py"), *root.rglob("*.json")} - others):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def select(level: str, only: str | None) -> tuple[Case, ...]:
    """The cases of a level that a pattern names: exactly, as a glob, or by a part of the name.

    Where none of the level's does, those of the other levels are tried.

    Raises
    ------
    featuremaps.UnknownCase
        The pattern names no case.
    ValueError
        The level is unknown.
    """
    listed = featuremaps.cases(level)
    if only is None:
        return listed
    for candidates in (listed, featuremaps.cases("full")):
        chosen = tuple(case for case in candidates if case.name == only)
        chosen = chosen or tuple(case for case in candidates if matches(case.name, only))
        if chosen:
            return chosen
    featuremaps.find(only)
    raise featuremaps.UnknownCase(f"case {only!r} is unknown")


def plan(level: str = "default", only: str | None = None) -> tuple[Cell, ...]:
    """The cells of a study, in the order of the results. Arguments and errors as for `run`."""
    return tuple(Cell(case, storage) for case in select(level, only) for storage in case.storages)


# Cells on disk --------------------------------------------------------------------------------------------------------

_HEAD = b'{"sha256": "%s",\n"cell": '
_TAIL = b"}\n"


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key}.json"


def save(folder: Path, key: str, names: Sequence[str], measured: Measured) -> None:
    """Keep a cell's records under its key.

    Parameters
    ----------
    folder : where the cells are. names : the algorithms that measured it, in order.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    content = {"key": key, "algorithms": list(names), "records": measured.records, "problems": measured.problems}
    body = json.dumps(content).encode()
    write_whole(_path(folder, key), _HEAD % hashlib.sha256(body).hexdigest().encode() + body + _TAIL)


def load(folder: Path, key: str, names: Sequence[str]) -> Measured | None:
    """A finished cell; None where there is none, or where it was measured with other algorithms.

    Raises
    ------
    DamagedCell
        Its checksum is wrong: it was cut or edited.
    """
    try:
        data = _path(folder, key).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedCell(str(error)) from error
    size = len(_HEAD % (b"0" * 64))
    body = data[size : -len(_TAIL)]
    if data != _HEAD % hashlib.sha256(body).hexdigest().encode() + body + _TAIL:
        raise DamagedCell("its checksum is another's")
    try:
        content = json.loads(body)
        if content["key"] != key:
            raise DamagedCell("it is another cell's")
        if content["algorithms"] != list(names):
            return None
        return Measured(content["records"], content["problems"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedCell(str(error)) from error
