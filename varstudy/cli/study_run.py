"""The study: ``run`` measures it, ``report`` draws it again, ``compare`` sets two of them side by side."""

from __future__ import annotations

import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from .. import report as drawing
from .._io.atomic import remove_unfinished
from ..report import comparison_page
from ..study import comparison, runner
from ..study import results as table
from ..study.comparison import Comparison
from ..study.results import Results, judged, wrong
from ..study.tasks import uncollected
from .console import Problem, command_words, dump, many, number, progress, say, show_table, shown
from .output_folder import prepared, writing
from .program import INTERRUPTED, REGRESSION

__all__ = ["compare", "draw", "report", "run"]


def run(
    level: str | None, out: str, device: str, anew: bool | None, parquet: bool, as_json: bool, **given: Any
) -> None:
    """Measure the study and draw its report; the other options are those of `varstudy.study.runner.run`."""
    prepared(out)
    if parquet and find_spec("pyarrow") is None:
        raise Problem("pyarrow is not installed: run pip install 'varstudy[parquet]'")
    companion = None
    if anew or (anew is None and given["only"] is None and level != "quick"):
        from ..survey.installed import installed_software  # noqa: PLC0415 - a quick study needs none of it

        companion = installed_software()
    try:
        with writing(out), uncollected():
            found = runner.run(
                level or "default",
                out=out,
                device=device,
                parquet=parquet,
                progress=progress("measured"),
                argv=command_words(),
                companion=companion,
                say=say,
                **given,
            )
            for name, reason in dict(found.settings.get("devices", {})).items():
                if reason:
                    say(f"{name} is not measured: {reason}")
            page = draw(found, out)
    except KeyboardInterrupt:
        again = [arg for arg in command_words() if arg != "--force"]
        say(f"Interrupted: what is measured is kept in {Path(out) / 'cells'}; go on with: {shlex.join(again)}")
        raise click.exceptions.Exit(INTERRUPTED) from None
    if as_json:
        click.echo(table.to_json(found), nl=False)
        say(str(page))
        return
    _summary(found)
    click.echo(str(page))


def draw(found: Results, folder: str) -> Path:
    """Draw the report into a folder, and say so."""
    say("drawing the report")
    return drawing.write(found, folder)


def _summary(found: Results) -> None:
    """Every algorithm in one line, where it accumulates in the format that the values are stored in."""
    frame = found.frame
    same = frame[(frame["storage"] == frame["accumulator"]) & judged(frame) & (frame["device"] == "cpu")]
    parts = dict(iter(same.groupby("algorithm", sort=False)))
    medians = {name: float(part["var_digits_worst"].median()) for name, part in parts.items()}
    show_table(
        "Correct digits of the worst row, accumulated in the storage's own format",
        ["algorithm", "measurements", "median digits", "wrong", "negative", "NaN or inf"],
        [
            [
                str(name),
                str(len(parts[name])),
                shown(medians[name]),
                f"{int(wrong(parts[name]).sum())} of {len(parts[name])}",
                str(int(parts[name]["var_negative"].sum())),
                str(int((parts[name]["var_nan"] + parts[name]["var_inf"]).sum())),
            ]
            for name in sorted(parts, key=lambda name: -medians[name])
        ],
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


def compare(before: str, after: str, tolerance: float, limit: int, html: str | None, as_json: bool) -> None:
    """Compare two results; write a page of both where one is asked for."""
    first, second = table.read(before), table.read(after)
    found = comparison.compare(first, second, tolerance=tolerance)
    if html is not None:
        with writing(html):
            remove_unfinished(Path(html).parent)
            page = comparison_page.write(first, second, found, (before, after), html, tolerance=tolerance)
            say(str(page))
    missing = [dict(zip(table.KEY, key, strict=True)) for key in found.missing]
    added = [dict(zip(table.KEY, key, strict=True)) for key in found.added]
    if as_json:
        dump(
            {
                "before": before,
                "after": after,
                "shared": found.shared,
                "regressions": [change.record() for change in found.regressions],
                "improvements": [change.record() for change in found.improvements],
                "missing": missing,
                "added": added,
                "settings": {name: {"before": x, "after": y} for name, x, y in found.settings},
            }
        )
    else:
        _show_comparison(found, before, after, limit)
    if not found.shared:
        raise Problem(f"{before} and {after} have no measurement in common: compare studies of the same cases")
    if found.regressions:
        raise click.exceptions.Exit(REGRESSION)


def _show_comparison(found: Comparison, before: str, after: str, limit: int) -> None:
    def label(key: tuple[Any, ...]) -> list[str]:
        case, norm, groups, storage, accumulator, algorithm, device, contraction, correction = key
        where = f"{norm}({groups})" if groups else str(norm)
        ending = "" if device == "cpu" else f" {device}, contraction {contraction}"
        return [case, f"{where} {storage}/{accumulator}{ending} -{correction:g}", algorithm]

    for title, changes in (("Regressions", found.regressions), ("Improvements", found.improvements)):
        if changes:
            show_table(
                f"{title}: {len(changes)}",
                ["case", "norm, storage/accumulator, correction", "algorithm", "metric", "before", "after"],
                [[*label(c.key), c.metric, number(c.before, 6), number(c.after, 6)] for c in changes[:limit]],
                left=4,
                note=f"... and {len(changes) - limit} more: see --limit" if len(changes) > limit else "",
            )
    for title, keys in ((f"Only in {before}", found.missing), (f"Only in {after}", found.added)):
        if keys:
            show_table(
                f"{title}: {len(keys)}",
                ["case", "norm, storage/accumulator, correction", "algorithm"],
                [label(key) for key in keys[:limit]],
                left=3,
                note=f"... and {len(keys) - limit} more: see --limit" if len(keys) > limit else "",
            )
    for name, x, y in found.settings:
        click.echo(f"The studies differ in {name}: {x!r} and {y!r}.")
    verdict = many(len(found.regressions), "regression")
    if found.regressions:
        verdict += f" in {many(len({change.key for change in found.regressions}), 'measurement')}"
    better = many(len(found.improvements), "improvement")
    click.echo(f"{many(found.shared, 'measurement')} in both: {verdict}, {better}.")
