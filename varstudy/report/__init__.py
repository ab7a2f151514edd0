"""Results in, HTML files out: self-contained, readable without JavaScript, the same bytes for the same results.

>>> from varstudy import report
>>> from varstudy.study import results
>>> report.write(results.read("out"), "out")                        # doctest: +SKIP
PosixPath('out/report.html')

report.html answers; the pages that it links, report-*.html, have every line; claims.json has every claim of the first
screen. All of them only read the table and the files next to it: nothing is measured, and nothing is clipped before it
is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .._io.atomic import prepare_folder, scratch_folder, write_whole
from ..bench.cpu import bench_record
from ..bench.gpu import gpu_record
from ..study.pool import Perform
from ..study.results import Results
from ..survey.findings import measured
from ..survey.findings.measured import FindingRow
from ..survey.league import league_record
from .report_page import render

__all__ = ["measured_file", "render", "write"]

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


def write(results: Results, folder: str | Path, perform: Perform | None = None) -> Path:
    """Write report.html, its pages and claims.json into a folder, each whole or not at all; return report.html's path.

    A bench.json in the folder becomes the section on speed, a gpu.json the section on the GPU's speed; a measured.json
    and a league.json hold the frameworks and libraries that were measured here.

    Parameters
    ----------
    results : as for `render`.
    folder : made where it is not there, with those above it.
    perform : has other processes make what the pages show; by default this one does.

    Raises
    ------
    OSError
        The folder cannot be made or written; a report that was there is left as it was.
    """
    out = Path(folder)
    prepare_folder(out)
    files = (
        measured_file(bench_record.read, out),
        measured_file(gpu_record.read, out),
        measured_file(findings, out),
        measured_file(league_record.read, out),
    )
    if perform is None:
        pages = render(results, *files)
    else:
        with scratch_folder(out) as scratch:
            pages = render(results, *files, perform, scratch.absolute())
    # The report comes last: what it links is there already.
    for name, page in reversed(pages.items()):
        write_whole(out / name, page.encode())
    return out / next(iter(pages))
