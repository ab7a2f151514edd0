"""``frameworks``: what the normalisation layers of real frameworks do, measured and compared with documentation."""

from __future__ import annotations

from typing import Any

import click

from .options import JSON

__all__ = ["frameworks"]


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--install", "make", is_flag=True, help="Install what is not there yet, pinned, each set in a cache folder."
)
@click.option("--all", "everything", is_flag=True, help="Every framework that can be measured.")
@click.option("--list", "listing", is_flag=True, help="Tell what is known, pinned and installed; measure nothing.")
@click.option("--committed", is_flag=True, help="Show the findings that come with varstudy; measure nothing.")
@click.option("--only", metavar="PATTERN", help="Only the frameworks whose name matches a glob or contains this text.")
@click.option(
    "--kind",
    type=click.Choice(["batch", "layer", "group", "instance", "rms", "sync"]),
    help="One kind of layer; sync is batch norm on several ranks.",
)
@click.option("--out", metavar="FILE", help="Write the findings to this JSON file, after each framework.")
@click.option(
    "--compare",
    is_flag=True,
    help="Compare with the committed findings; exit code 1 where one differs, or was not found again.",
)
@JSON
def frameworks(**given: Any) -> None:
    """Ask the normalisation layers of frameworks what they do.

    Without names, every framework that can be imported here is asked; with --install, those named (or --all) in
    isolated environments of pinned versions, which are made first. One that cannot be installed, hangs or crashes is a
    row that says so. A version that is not the pinned one is measured and labelled.
    """
    from .frameworks_run import run_frameworks  # noqa: PLC0415

    run_frameworks(**given)
