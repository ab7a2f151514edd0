"""Replace a file's content whole or not at all."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import tempfile
from pathlib import Path

__all__ = ["host", "temporary_prefix", "write_whole"]


def host() -> str:
    """This machine's name, as far as it is fit for a file's name."""
    return re.sub(r"[^\w-]", "-", platform.node())[:40]


def temporary_prefix(name: str) -> str:
    """The start of a temporary file's name, which tells the process that writes it: ``.NAME.HOST.PID.``."""
    return f".{name[:100]}.{host()}.{os.getpid()}."


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file's content: write a temporary file next to it, flush it to disk, and rename it.

    Raises
    ------
    OSError
        It cannot be written (a full disk, no permission); what was there before is untouched.
    """
    handle, name = tempfile.mkstemp(prefix=temporary_prefix(path.name), suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
