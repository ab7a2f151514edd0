"""Results in, one HTML file out: self-contained, readable without JavaScript, the same bytes for the same results.

>>> from varstudy import report
>>> from varstudy.study import results
>>> report.write(results.read("out"), "out")                        # doctest: +SKIP
PosixPath('out/report.html')

The report only reads the table and the files next to it: it measures nothing, and it clips nothing
before it is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._io.atomic import prepare_folder, write_whole

if TYPE_CHECKING:
    from ..study.results import Results
    from ..survey.findings.measured import FindingRow

__all__ = ["render", "write"]


def render(
    results: Results,
    bench: Mapping[str, Any] | str | None = None,
    gpu_json: Mapping[str, Any] | str | None = None,
    fresh: Sequence[FindingRow] | str | None = None,
    league: Mapping[str, Any] | str | None = None,
) -> str:
    """The report as one HTML document.

    Parameters
    ----------
    results : a study's table and what is known of it, as `results.read` gives them.
    bench : the content of a bench.json, for the section on speed; or a sentence why there is none to show.
    gpu_json : the same of a gpu.json, for the section on the GPU's speed.
    fresh, league : findings of frameworks and scores of libraries that were measured here, shown with the committed
        ones.
    """
    from .report_page import page  # noqa: PLC0415 - matplotlib and Jinja2 take a second to import

    return page(results, bench, gpu_json, fresh, league)


def write(results: Results, folder: str | Path) -> Path:
    """Write report.html into a folder, whole or not at all, and return its path.

    A bench.json in the folder becomes the section on speed, a gpu.json the section on the GPU's speed; a measured.json
    and a league.json hold the frameworks and libraries that were measured here.

    Parameters
    ----------
    results : as for `render`.
    folder : made where it is not there, with those above it.

    Raises
    ------
    OSError
        The folder cannot be made or written; a report that was there is left as it was.
    """
    from ..bench.cpu import bench_record  # noqa: PLC0415 - read only where a folder is written
    from ..bench.gpu import gpu_record  # noqa: PLC0415
    from ..survey.league import league_record  # noqa: PLC0415
    from .measured_files import findings, measured_file  # noqa: PLC0415

    out = Path(folder)
    prepare_folder(out)
    path = out / "report.html"
    page = render(
        results,
        measured_file(bench_record.read, out),
        measured_file(gpu_record.read, out),
        measured_file(findings, out),
        measured_file(league_record.read, out),
    )
    write_whole(path, page.encode())
    return path
