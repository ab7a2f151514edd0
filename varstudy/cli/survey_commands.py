"""What the commands about other people's software take: frameworks, libraries, port and repro."""

from __future__ import annotations

from pathlib import Path

import click

from .command_group import command
from .options import JSON, SEED, STORAGE_OPTION, joined, listed
from .tables import WIDE

__all__: list[str] = []

# The systems of the survey, which nobody imports for their names.
_KINDS = Path(__file__).parents[1] / "survey" / "systems" / "kinds"
SYSTEMS = sorted(path.stem for path in _KINDS.glob("[a-z]*.py"))


@command("frameworks_run")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--install", "make", is_flag=True, help="Install what is not there yet, pinned, each set in a cache folder."
)
@click.option("--all", "everything", is_flag=True, help="Every framework that can be measured.")
@click.option("--list", "listing", is_flag=True, help="List what is known, pinned and installed; measure nothing.")
@click.option("--committed", is_flag=True, help="Show the findings that come with varstudy; measure nothing.")
@click.option("--only", metavar="PATTERN", help="Only the frameworks whose name matches a glob or contains this text.")
@click.option(
    "--kind",
    type=click.Choice(["batch", "layer", "group", "instance", "rms", "sync", *SYSTEMS]),
    help=f"One kind of layer; sync is batch norm on several ranks, and 'list' explains {', '.join(SYSTEMS)}.",
)
@click.option("--out", metavar="FILE", help="Write the findings to this JSON file, after each framework.")
@click.option(
    "--compare",
    is_flag=True,
    help="Compare with the committed findings; exit code 1 where one differs, or was not found again.",
)
@WIDE
@JSON
def frameworks() -> None:
    """Measure what the norm layers of frameworks do.

    Without names, every framework that can be imported here is measured; with --install, those named (or --all) in
    isolated environments of pinned versions, which are made first. One that cannot be installed, hangs or crashes is a
    row that says so. A version that is not the pinned one is measured and labelled. --committed shows what was
    measured before, outputs and gradients too, and measures nothing.
    """


@command("league_run")
@click.option("--list", "listing", is_flag=True, help="Only list the functions, and what was measured of each before.")
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
@STORAGE_OPTION
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(1, 64),
    multiple=True,
    help="Threads to try; may be repeated.  [1 and 2]",
)
@click.option("--once", is_flag=True, help="Run each function once, not twice.")
@SEED
@click.option("--out", metavar="DIR", help="Write league.json, or layers.json, into this folder.")
@click.option(
    "--compare",
    "before",
    metavar="FILE",
    help="Against another league.json, or 'committed'; exit code 1 if a function became worse.",
)
@WIDE
@JSON
def libraries() -> None:
    """Score the variance functions of numpy, torch and others.

    Those of pandas, polars and databases take part too, on the study's rows. Each is called in a process of its own,
    compared with the exact variance, identified by the bits of its answers, and ranked among our algorithms. By default
    those that are installed in this environment are measured; --all and --install measure in environments with pinned
    versions.

    With --layers, every normalisation layer of the frameworks takes part, by the variance that its outputs imply.
    """


@command("port_run")
@click.option("--from", "source", metavar="FRAMEWORK[:VARIANT]", required=True, help="Where the layer was trained.")
@click.option("--to", "target", metavar="FRAMEWORK[:VARIANT]", required=True, help="Where it goes.")
@click.option(
    "--values-per-channel",
    "values_per_channel",
    metavar="N,...",
    multiple=True,
    callback=listed(int, "whole number"),
    help="Values of a channel in a training batch: batch size times pixels.",
)
@click.option(
    "--variance",
    metavar="V,...",
    multiple=True,
    callback=listed(float, "number"),
    help="Variances of the batches, for the tables of errors.",
)
@click.option("--epsilon", type=float, help="The source layer's epsilon, where it is not the framework's default.")
@click.option("--momentum", metavar="M", help="The source layer's momentum argument; cumulative is torch's None.")
@click.option("--snippet", is_flag=True, help="Write only the code that converts the layer.")
@click.option("--all", "everything", is_flag=True, help="Show what is the same, the errors and the steps, too.")
@WIDE
@JSON
def port() -> None:
    """List what to change in a batch norm for another framework.

    A framework is named in full, or by a part of its name or title that only one has. What differs comes first, each
    part with the relative error of (output - shift) if it is left alone, then the code that converts the layer. The
    conventions are measured; what was not measured is marked.
    """


@command("repro_run")
@click.argument("pattern", nargs=-1, metavar="[FINDING]", callback=joined)
@click.option("--list", "listing", is_flag=True, help="List the findings that match, one line each.")
@JSON
def repro() -> None:
    """Print a short script that shows FINDING.

    FINDING is an address of the survey, or a part or words of the description that only one has; without it, all are
    listed. The script needs the framework and numpy alone. It asserts the right answer: it ends with exit code 1 while
    the defect is there, 0 once it is mended.
    """
