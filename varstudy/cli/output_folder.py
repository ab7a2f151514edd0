"""The folder that a command writes into: prepared first, and named where it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .._io.atomic import prepare_folder
from .console import Problem
from .program import about, ours

__all__ = ["prepared", "writing"]


def prepared(out: str) -> Path:
    """An output folder, made and cleared of what killed commands left, before anything is loaded or measured.

    Raises
    ------
    Problem
        It cannot be written.
    """
    try:
        prepare_folder(Path(out))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Problem(
            f"{out or 'the empty path'} cannot be written ({reason}): choose another folder with --out"
        ) from error
    return Path(out)


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Name the file that cannot be written, or else this one; a failure with a file of this package is raised as it is.

    Raises
    ------
    Problem
        A file cannot be written.
    """
    try:
        yield
    except OSError as error:
        if ours(error):
            raise
        raise Problem(about(error, error.filename or path)) from error
