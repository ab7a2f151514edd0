"""``compare``: two studies side by side, regressions first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .._io.atomic import remove_unfinished
from ..study import comparison
from ..study import results as table
from ..study.changed_metrics import Side, Wording, named, summary, title
from ..study.comparison import Change, Comparison
from .console import Problem, dump, many, number, paragraph, say
from .output_folder import writing
from .program import REGRESSION
from .tables import show_table, wrong

__all__ = ["compare"]


def compare(before: str, after: str, tolerance: float, limit: int, html: str | None, as_json: bool) -> None:
    """Compare two results; write a page of both where one is asked for."""
    first, second = table.read(before), table.read(after)
    found = comparison.compare(first, second, tolerance=tolerance)
    if html is not None:
        from ..report import comparison_page  # noqa: PLC0415 - loads matplotlib

        if not Path(html).parent.is_dir():
            raise Problem(f"--html {html} cannot be written: name a file in a folder that exists")
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
        _show_comparison(found, before, after, tolerance, limit)
    if not found.shared:
        raise Problem(f"{before} and {after} have no measurement in common: compare studies of the same cases")
    if found.regressions:
        raise click.exceptions.Exit(REGRESSION)


_WORDING = Wording(number)


def _show_comparison(found: Comparison, before: str, after: str, tolerance: float, limit: int) -> None:
    told = summary(found)
    paragraph(f"{told.verdict}.", wrong=bool(told.regressions.measurements))
    within = f"; what moved by {100 * tolerance:g} % or less counts as unchanged" if tolerance else ""
    paragraph(f"{many(found.shared, 'measurement')} in both{within}.")
    for name, x, y in found.settings:
        paragraph(f"The studies differ in {name}: {x!r} and {y!r}.", "- ")
    for side in (told.regressions, told.improvements):
        if side.measurements:
            paragraph(_sentence(side), "- ")
    twice = f"; {told.twice:,} worse in one metric and better in another" if told.twice else ""
    paragraph(f"{told.unchanged:,} unchanged in every metric{twice}.", "- ")
    if found.missing or found.added:
        paragraph(f"{len(found.missing):,} only before, {len(found.added):,} only after.", "- ")
    click.echo()
    for side in (told.regressions, told.improvements):
        if side.measurements:
            show_table(
                f"{'Regressions' if side.worse else 'Improvements'}, one line a measurement: its most important metric",
                ["algorithm", "change", "before and after", "metric", "case", "norm, storage/accumulator, correction"],
                [_line(change) for change in side.leading[:limit]],
                left=6,
                more=("norm, storage/accumulator, correction", "metric", "before and after"),
                note=_rest(len(side.measurements), limit),
            )
    for heading, keys in ((f"Only in {before}", found.missing), (f"Only in {after}", found.added)):
        if keys:
            show_table(
                f"{heading}: {len(keys)}",
                ["algorithm", "case", "norm, storage/accumulator, correction"],
                [[named(key, "algorithm"), named(key, "case"), _where(key)] for key in keys[:limit]],
                left=3,
                more=("norm, storage/accumulator, correction",),
                note=_rest(len(keys), limit),
            )


def _rest(count: int, limit: int) -> str:
    return f"{count - limit:,} more: raise --limit, or see --json." if count > limit else ""


def _sentence(side: Side) -> str:
    """How many measurements changed, and the first and the farthest of them."""
    where = f"{many(len(side.algorithms), 'algorithm')} and {many(side.cases, 'feature map')}"
    parts = [f"{many(len(side.measurements), 'measurement')} {'worse' if side.worse else 'better'}, in {where}."]
    if side.first_failed is not None:
        what = (
            "fail now, or give no number where they did"
            if side.worse
            else "fail in fewer rows, or give a number where they did not"
        )
        parts.append(f"{side.failed:,} {what}; the first is {_told(side.first_failed)}.")
    if side.farthest is not None:
        parts.append(f"{'Of the others, the' if side.failed else 'The'} largest change: {_told(side.farthest)}.")
    return " ".join(parts)


def _told(change: Change) -> str:
    before, after = _WORDING.both(change)
    where = f"{named(change.key, 'algorithm')} on {named(change.key, 'case')}"
    return f"{where}: {_WORDING.moved(change)} ({title(change.metric)}, {before} to {after})"


def _line(change: Change) -> list[str]:
    key, moved = change.key, wrong(_WORDING.moved(change), change.worse)
    return [
        named(key, "algorithm"),
        moved,
        " to ".join(_WORDING.both(change)),
        title(change.metric),
        named(key, "case"),
        _where(key),
    ]


def _where(key: tuple[Any, ...]) -> str:
    _, norm, groups, storage, accumulator, _, device, contraction, correction = key
    ending = "" if device == "cpu" else f" {device}, contraction {contraction}"
    return f"{norm}{f'({groups})' if groups else ''} {storage}/{accumulator}{ending} -{correction:g}"
