"""The command line: ``python -m varstudy``.

Only click is imported here; what a command does is loaded when it is invoked, so that help costs nothing.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from .._io.streams import open_closed_streams
from .declarations import commands

__all__ = ["commands", "main"]


def main() -> None:
    """The entry point of ``varstudy`` and ``python -m varstudy``."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 still gets its answer
    as_module = Path(sys.argv[0]).name == "__main__.py"
    commands.main(prog_name="python -m varstudy" if as_module else "varstudy")
