"""What ``bench`` and ``gpu`` do alike: what they leave in a folder, and their targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from .._io.record_file import RecordFile
from ..bench.targets import Target
from ..study import results
from .console import dump, many, number, paragraph, say
from .output_folder import writing
from .study_run import draw
from .tables import show_table, wide, wrong

__all__ = ["leave", "show_targets"]


def leave(out: str, kind: RecordFile[Any], content: Mapping[str, Any], show: Callable[[], None] | None) -> None:
    """Write what was measured, draw the report again, show it, and print the report's path last, or the file's.

    Parameters
    ----------
    out : the folder. kind : of the file there. show : prints the tables; None for JSON instead.
    """
    path = Path(out) / kind.name
    with writing(out):
        kind.write(path, content)
        page = draw(results.read(out), out) if (path.parent / "results.json").exists() else None
    if show is None:
        dump(kind.read(path))
        say(str(path))
        return
    show()
    if page is None:
        say(f"{out} holds no results.json: 'python -m varstudy run --out {out}' makes one, and the report shows both")
    click.echo(str(page or path))


def show_targets(found: Sequence[Target], title: str) -> None:
    """How many targets were met, and those that were missed; with --wide, all of them."""
    words = {True: "met", False: "MISSED", None: ""}
    missed = sum(each.met is False for each in found)
    unknown = sum(each.met is None for each in found)
    measured = len(found) - unknown
    paragraph(
        f"{title}: {measured - missed} of {many(measured, 'measured target')} met"
        + (f"; {unknown} not measured." if unknown else "."),
        wrong=missed > 0,
    )
    click.echo()
    if not missed and not wide():
        return
    show_table(
        "All targets" if wide() else "Targets that are missed",
        ["ratio", "dtype", "wanted", "measured", "verdict"],
        [
            [
                each.name,
                each.dtype,
                ("at most " if each.at_most else "at least ") + number(each.wanted),
                "-" if each.met is None else f"{each.measured:.2f}",
                wrong(", ".join(word for word in (words[each.met], each.note) if word), each.met is False),
            ]
            for each in found
            if wide() or each.met is False
        ],
        left=2,
        more=("dtype",),
    )
