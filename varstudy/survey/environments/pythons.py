"""Which Pythons a machine has: on PATH, among pyenv's versions, of uv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["find", "uv", "version"]


def uv() -> str | None:
    """The path of uv; None where it is not on PATH and not next to this interpreter."""
    beside = Path(sys.executable).with_name("uv")
    return shutil.which("uv") or (str(beside) if beside.is_file() else None)


def version(interpreter: str | Path) -> str:
    """``3.11`` of an interpreter; empty where it does not run."""
    words = [str(interpreter), "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def find(wanted: str) -> str | None:
    """An interpreter of a version such as ``3.11``; None where there is none."""
    for candidate in _candidates(wanted):
        if version(candidate) == wanted:
            return candidate
    return None


def _patch(folder: Path) -> int:
    digits = folder.name.rpartition(".")[2]
    return int(digits) if digits.isdigit() else -1


def _candidates(wanted: str) -> Iterator[str]:
    for name in (f"python{wanted}", "python3", "python"):
        found = shutil.which(name)
        if found:
            yield found
    yield sys.executable
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted((root / "versions").glob(f"{wanted}.*"), key=_patch, reverse=True):
        yield str(folder / "bin" / "python")
    tool = uv()
    if tool is not None:
        try:
            words = [tool, "python", "find", "--no-python-downloads", "--managed-python", wanted]
            done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.SubprocessError):
            return
        if done.returncode == 0 and done.stdout.strip():
            yield done.stdout.strip()
