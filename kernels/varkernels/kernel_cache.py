"""Machine code of one kernel on disk, in a folder that this package chooses.

Numba's own cache takes its folder from numba's configuration, which all threads and packages share, and an index or a
code file that was cut makes every later run fail. Here each signature has one file, written whole, with a checksum
in front: a damaged file is compiled and written again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

__all__ = ["KernelCache"]

_CHECKSUM = 32
# A temporary file of this age, in seconds, has no process that still writes it.
OLD = 3600


class KernelCache:
    """What a numba dispatcher asks of a cache (`numba.core.caching.Cache`), for one function.

    Parameters
    ----------
    function : the Python function that is compiled.
    folder : where its files are; made when the first one is written.
    """

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._function, self._folder = function, folder
        self._enabled = True

    @property
    def cache_path(self) -> str:
        return str(self._folder)

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        """Remove the function's files."""
        for path in self._folder.glob(f"{self._function.__name__}-*.nbc"):
            path.unlink(missing_ok=True)

    def _path(self, signature: Any, codegen: Any) -> Path:
        cells = tuple(cell.cell_contents for cell in self._function.__closure__ or ())
        key = repr((str(signature), codegen.magic_tuple())).encode() + self._function.__code__.co_code + dumps(cells)
        return self._folder / f"{self._function.__name__}-{hashlib.sha256(key).hexdigest()[:32]}.nbc"

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The compiled function of a signature; None where there is no file, or a damaged one."""
        target.refresh()
        if not self._enabled:
            return None
        try:
            stored = self._path(signature, target.codegen()).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(stored[_CHECKSUM:]).digest() != stored[:_CHECKSUM]:
            return None
        return CompileResult._rebuild(target, *pickle.loads(stored[_CHECKSUM:]))

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Write the compiled function of a signature; where that fails, it is compiled again next time."""
        if not self._enabled or compiled.library.has_dynamic_globals or any(not x.can_cache for x in compiled.lifted):
            return
        path = self._path(signature, compiled.codegen)
        code = dumps(compiled._reduce())
        part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                part.write_bytes(hashlib.sha256(code).digest() + code)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
            for left in self._folder.glob("*.tmp"):  # of a process that was killed
                if time.time() - left.stat().st_mtime > OLD:
                    left.unlink(missing_ok=True)
