"""Where results come from: versions, machine, commit, command line."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["collect", "cpu", "versions"]

PACKAGES = (
    "numpy",
    "numba",
    "llvmlite",
    "ml_dtypes",
    "mpmath",
    "gmpy2",
    "pandas",
    "matplotlib",
    "scikit-learn",
    "pillow",
)


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of the libraries that decide or draw results; only installed ones."""
    found = {"python": platform.python_version()}
    for name in ("varstudy", *PACKAGES):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def cpu() -> dict[str, Any]:
    """Model, flags and number of usable cores of this machine's processor; what the system tells of them."""
    model, flags = platform.processor() or platform.machine(), ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            elif key.strip() in ("flags", "Features"):
                flags = value.strip()
                break
    return {"model": model, "flags": flags.split(), "cores": usable_cores(), "machine": platform.machine()}


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _commit() -> str | None:
    """The commit of the checkout that this package runs from, marked where files differ from it; None elsewhere."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=10)
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def collect(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """All of it, ready for JSON. `argv` is the command line, this process's own where it is None."""
    return {
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": list(sys.argv if argv is None else argv),
        "commit": _commit(),
        "versions": versions(),
        "cpu": cpu(),
        "system": platform.platform(),
    }
