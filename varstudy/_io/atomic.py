"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from varkernels.atomic import host, temporary_prefix, write_whole

__all__ = ["prepare_folder", "remove_unfinished", "scratch_folder", "write_whole"]

# .NAME.HOST.PID.RANDOM.tmp: the next run knows from it whether the process that wrote it still runs.
_UNFINISHED = re.compile(r"\..*\.(?P<host>[\w-]*)\.(?P<pid>\d{1,9})\.\w+\.tmp")


def prepare_folder(folder: Path) -> None:
    """Make a folder, see whether files can be written into it, and remove what killed processes left there.

    Raises
    ------
    OSError
        The folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
    remove_unfinished(folder)


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A temporary folder in another one; `remove_unfinished` removes it where its process was killed."""
    with tempfile.TemporaryDirectory(
        prefix=temporary_prefix("scratch"), suffix=".tmp", dir=parent, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files and folders that killed processes of this machine left in a folder.

    Those of processes that still run stay, and so does every file of another name.
    """
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            found = _UNFINISHED.fullmatch(path.name)
            if not found or found["host"] != host() or _runs(int(found["pid"])):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's process
        return True
    return True
