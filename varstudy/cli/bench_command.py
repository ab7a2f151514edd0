"""``bench``: speed and accuracy of this library and others, and the speed of reading."""

from __future__ import annotations

import re
from typing import Any

import click

from .console import Problem
from .options import JSON, SEED

__all__ = ["bench"]


def _sizes(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """``1000,2^10,2^26``; ``2^10..2^27`` stands for every power of two between."""
    if value is None:
        return None
    found: list[int] = []
    for word in re.split(r"[,\s]+", value.strip()):
        ends = re.fullmatch(r"2\^(\d{1,2})\.\.2\^(\d{1,2})", word)
        one = re.fullmatch(r"2\^(\d{1,2})|([1-9]\d{0,11})", word)
        if ends:
            found += [2**k for k in range(int(ends[1]), int(ends[2]) + 1)]
        elif one:
            found.append(2 ** int(one[1]) if one[1] else int(one[2]))
        else:
            raise Problem(f"--sizes {word!r} is no number of values: write 1000, 2^20 or 2^10..2^27, joined by commas")
    if not found or min(found) < 2:
        raise Problem(f"--sizes {value!r} names no size of two values or more: write 1000, 2^20 or 2^10..2^27")
    return tuple(dict.fromkeys(found))


@click.command()
@click.option("--quick", is_flag=True, help="Small arrays, one thread: half a minute.")
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    multiple=True,
    help="Threads a library may use; may be repeated.  [1 and 2]",
)
@click.option("--sizes", metavar="LIST", callback=_sizes, help="Numbers of values, such as 1000,2^10..2^27.")
@click.option("--only", metavar="PATTERN", help="Only the contenders whose name matches a glob or contains this text.")
@click.option("--rounds", type=click.IntRange(min=1), help="Rounds in which each contender takes its turn.")
@click.option("--no-norms", is_flag=True, help="Leave the feature map and its four norms out.")
@SEED
@click.option("--out", metavar="DIR", default="reports", show_default=True, help="Folder of bench.json and the report.")
@JSON
def bench(**given: Any) -> None:
    """Time this library's variance and other libraries', and score their answers against the exact one.

    What is installed is measured: pip install 'varstudy[peers]' for all. DIR/bench.json is written, and the report is
    drawn again where DIR holds a study's results. Ratios within one run are worth more than the numbers themselves.
    """
    from .bench_run import run_bench  # noqa: PLC0415

    run_bench(**given)
