"""Results in, one HTML file out: self-contained, readable without JavaScript, the same bytes for the same results.

>>> from varstudy import report, results                            # doctest: +SKIP
>>> report.write(results.read("out"), "out")                        # doctest: +SKIP
PosixPath('out/report.html')

The report only reads the table: it measures nothing, and it clips nothing before it is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..files import write_whole

if TYPE_CHECKING:
    from ..results import Results

__all__ = ["render", "write"]


def render(results: Results) -> str:
    """The report as one HTML document."""
    from .page import page  # noqa: PLC0415 - matplotlib and Jinja2 take a second to import

    return page(results)


def write(results: Results, folder: str | Path) -> Path:
    """Write report.html into a folder, whole or not at all, and return its path.

    Raises
    ------
    OSError
        The folder cannot be made or written; a report that was there is left as it was.
    """
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "report.html"
    write_whole(path, render(results).encode())
    return path
