"""``libraries``: the variance of the libraries that people use, in one league with our algorithms."""

from __future__ import annotations

from typing import Any

import click

from .options import JSON, SEED, STORAGE

__all__ = ["libraries"]


@click.command()
@click.option("--list", "listing", is_flag=True, help="Only list the functions, and what is known of each.")
@click.option("--all", "everywhere", is_flag=True, help="In the pinned environments that are there.")
@click.option("--install", is_flag=True, help="In the pinned environments; those that are not there are made.")
@click.option("--only", metavar="PATTERN", help="Only functions or libraries that match a glob or contain this text.")
@click.option(
    "--layers",
    "as_layers",
    is_flag=True,
    help="Instead of functions, the frameworks' normalisation layers, by"
    " the variance that their float32 outputs imply, with the committed league; --only names frameworks.",
)
@click.option("--quick", is_flag=True, help="The smallest set of cases.")
@click.option("--storage", "storages", type=STORAGE, multiple=True, help="Only this storage format; may be repeated.")
@click.option(
    "--threads", type=click.IntRange(1, 64), multiple=True, help="Threads to try; may be repeated.  [1 and 2]"
)
@click.option("--once", is_flag=True, help="Run each function once, not twice.")
@SEED
@click.option("--out", metavar="DIR", help="Write league.json, or layers.json, into this folder.")
@click.option("--compare", "before", metavar="FILE", help="Against another league.json, or 'committed'; exit code 1 if"
              " a function became worse.")  # fmt: skip
@JSON
def libraries(**given: Any) -> None:
    """Score the variance functions of numpy, torch, pandas, polars, databases and others on the study's rows.

    Each is called in a process of its own, compared with the exact variance, identified by the bits of its answers, and
    ranked among our algorithms. By default those that are installed in this environment are measured; --all and
    --install measure in environments with pinned versions.

    With --layers, every normalisation layer of the frameworks takes part, by the variance that its outputs imply.
    """
    from .league_run import run_libraries  # noqa: PLC0415

    run_libraries(**given)
