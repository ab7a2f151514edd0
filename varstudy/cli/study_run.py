"""The study: ``run`` measures it, ``report`` draws it again."""

from __future__ import annotations

import shlex
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from ..study import results as table
from ..study import runner
from ..study.pool import Perform
from ..study.results import Results, judged, wrong
from ..study.tasks import uncollected
from ..survey.installed import installed_software
from .console import Problem, command_words, dump, listed, many, paragraph, progress, say, shown, whole
from .output_folder import prepared, writing
from .program import INTERRUPTED
from .tables import show_table
from .tables import wrong as cell

__all__ = ["draw", "page", "report", "run"]


def run(
    level: str | None, out: str, device: str, installed: bool | None, parquet: bool, as_json: bool, **given: Any
) -> None:
    """Measure the study and draw its report; the other options are those of `varstudy.study.runner.run`."""
    prepared(out)
    if parquet and find_spec("pyarrow") is None:
        raise Problem("pyarrow is not installed: run pip install 'varstudy[parquet]'")
    companion = None
    if installed or (installed is None and given["only"] is None and level != "quick"):
        companion = installed_software()
    try:
        with writing(out), uncollected():
            found = runner.run(
                level or "default",
                out=out,
                device=device,
                parquet=parquet,
                progress=progress("measuring"),
                argv=command_words(),
                companion=companion,
                page=page,
                say=say,
                **given,
            )
            for name, reason in dict(found.settings.get("devices", {})).items():
                if reason:
                    say(f"{name} is not measured: {reason}")
    except KeyboardInterrupt:
        again = whole(shlex.join(arg for arg in command_words() if arg != "--force"))
        say(f"Interrupted: what is measured is kept in {Path(out) / 'cells'}; continue with: {again}")
        raise click.exceptions.Exit(INTERRUPTED) from None
    if as_json:
        click.echo(table.to_json(found), nl=False)
        say(str(Path(out) / "report.html"))
        return
    _summary(found)
    click.echo(str(Path(out) / "report.html"))


class _Report:
    """What draws the report into a folder, with the processes that are given or by itself."""

    def load(self) -> ModuleType:
        from .. import report as drawing  # noqa: PLC0415 - a second, in which a run can begin already

        return drawing

    def __call__(self, found: Results, folder: str | Path, perform: Perform | None = None) -> Path:
        drawn: Path = self.load().write(found, folder, perform)
        return drawn


page = _Report()


def draw(found: Results, folder: str) -> Path:
    """Draw the report into a folder, and say so."""
    say("drawing the report")
    return page(found, folder)


def _summary(found: Results) -> None:
    """Every algorithm in one line, where it accumulates in the format that the values are stored in."""
    frame = found.frame
    same = frame[(frame["storage"] == frame["accumulator"]) & judged(frame) & (frame["device"] == "cpu")]
    parts = dict(iter(same.groupby("algorithm", sort=False)))
    medians = {name: float(part["var_digits_worst"].median()) for name, part in parts.items()}
    sound = [str(name) for name, part in parts.items() if not wrong(part).any()]
    of = many(len(parts), "algorithm")
    unsound = [str(name) for name in parts if name not in sound]
    if not sound:
        answer = f"Each of {of} is wrong on a feature map."
    elif len(unsound) < len(sound):
        wrongs = f"except {listed(unsound)}" if unsound else "without exception"
        answer = f"Right or inaccurate on every feature map, {len(sound)} of {of}: all {wrongs}."
    else:
        answer = f"Right or inaccurate on every feature map, {len(sound)} of {of}: {listed(sound)}."
    paragraph(answer, wrong=not sound)
    click.echo()
    show_table(
        "Correct digits of the worst row, accumulated in the storage's own format",
        ["algorithm", "maps", "median digits", "wrong", "negative", "NaN or inf"],
        [
            [
                str(name),
                str(len(parts[name])),
                shown(medians[name]),
                cell(f"{int(wrong(parts[name]).sum())} of {len(parts[name])}", bool(wrong(parts[name]).any())),
                str(int(parts[name]["var_negative"].sum())),
                str(int((parts[name]["var_nan"] + parts[name]["var_inf"]).sum())),
            ]
            for name in sorted(parts, key=lambda name: -medians[name])
        ],
        more=("negative", "NaN or inf"),
    )


def report(results: str, out: str | None, as_json: bool) -> None:
    """Draw the report of some results again."""
    found = table.read(results)
    folder = out or str(Path(results) if Path(results).is_dir() else Path(results).parent)
    prepared(folder)
    with writing(folder):
        page = str(draw(found, folder))
    if as_json:
        dump({"report": page})
    else:
        click.echo(page)
