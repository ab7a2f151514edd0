"""``compare``: two studies side by side, regressions first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .._io.atomic import remove_unfinished
from ..study import comparison
from ..study import results as table
from ..study.comparison import Comparison
from .console import Problem, dump, many, number, say
from .output_folder import writing
from .program import REGRESSION
from .tables import show_table

__all__ = ["compare"]


def compare(before: str, after: str, tolerance: float, limit: int, html: str | None, as_json: bool) -> None:
    """Compare two results; write a page of both where one is asked for."""
    first, second = table.read(before), table.read(after)
    found = comparison.compare(first, second, tolerance=tolerance)
    if html is not None:
        from ..report import comparison_page  # noqa: PLC0415 - loads matplotlib

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
