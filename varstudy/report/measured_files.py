"""The files of other measurements that lie next to a study's results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..survey.findings import measured
from ..survey.findings.measured import FindingRow

__all__ = ["findings", "measured_file"]

T = TypeVar("T")


def measured_file(read: Callable[[Path], T], folder: Path) -> T | str | None:
    """The content of a file in a folder; a sentence where it cannot be used, None where there is none.

    Parameters
    ----------
    read : reads the file of one kind in a folder; it raises FileNotFoundError, or a ValueError with a sentence.
    """
    try:
        return read(folder)
    except FileNotFoundError:
        return None
    except ValueError as problem:
        return str(problem)


def findings(folder: Path) -> list[FindingRow]:
    """The rows of a folder's measured.json; for `measured_file`."""
    return measured.rows(measured.read(folder))
