"""``bench``: this library's speed and accuracy beside other libraries', and beside the speed of reading."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from .console import Problem, number, show_table
from .measured import command_words, leave, show_targets
from .options import JSON, SEED

if TYPE_CHECKING:
    from ..bench.cpu.bench_record import BenchRow

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
def bench(
    quick: bool,
    threads: tuple[int, ...],
    sizes: tuple[int, ...] | None,
    only: str | None,
    rounds: int | None,
    no_norms: bool,
    seed: int,
    out: str,
    as_json: bool,
) -> None:
    """Time this library's variance and other libraries', and score their answers against the exact one.

    What is installed is measured: pip install 'varstudy[peers]' for all. DIR/bench.json is written, and the report is
    drawn again where DIR holds a study's results. Ratios within one run are worth more than the numbers themselves.
    """
    from ..bench.cpu import bench_record, launch  # noqa: PLC0415
    from .study_commands import _writable  # noqa: PLC0415

    _writable(out)
    plan = launch.QUICK if quick else launch.FULL
    plan = replace(
        plan,
        sizes=sizes or plan.sizes,
        threads=tuple(sorted(set(threads))) or plan.threads,
        rounds=rounds or plan.rounds,
        shape=None if no_norms else plan.shape,
        seed=seed,
        contenders=_contenders(only),
    )
    content = launch.run(plan, command_words())
    leave(
        out,
        bench_record.NAME,
        content,
        bench_record.write,
        bench_record.read,
        None if as_json else lambda: _show(content),
    )


def _contenders(only: str | None) -> tuple[str, ...]:
    if only is None:
        return ()
    from .._io.matching import matches, nearest  # noqa: PLC0415
    from ..bench.cpu.peers import CONTENDERS  # noqa: PLC0415

    known = [each.name for each in CONTENDERS]
    found = tuple(name for name in known if matches(name, only))
    if not found:
        raise Problem(f"contender {only!r} is unknown: {nearest(only, known, 'use one of ' + ', '.join(known))}")
    return found


# Tables -------------------------------------------------------------------------------------------------------------


def _size(values: int) -> str:
    power = values.bit_length() - 1
    return f"2^{power}" if values == 1 << power else f"{values:,}"


def _show(content: dict[str, Any]) -> None:
    from ..bench.cpu import bench_record  # noqa: PLC0415
    from ..bench.targets import read_targets  # noqa: PLC0415

    rows = bench_record.rows(content)
    parts: dict[tuple[int, str], list[BenchRow]] = {}
    for row in rows:
        parts.setdefault((row.threads, row.dtype), []).append(row)
    for (threads, dtype), part in parts.items():
        where = f"{dtype}, {threads} thread" + ("" if threads == 1 else "s")
        flat = [row for row in part if row.norm == "flat"]
        if flat:
            _show_largest(flat, where)
            _show_sizes(flat, where)
        _show_norms([row for row in part if row.norm != "flat"], where)
    _show_absent(rows)
    for line in content["settings"]["left_out"]:
        click.echo(f"Left out: {line}.")
    show_targets(read_targets(content["targets"]), "Targets, one thread")


def _ordered(rows: Iterable[BenchRow]) -> list[BenchRow]:
    return sorted(rows, key=lambda row: row.seconds)


def _show_largest(flat: Sequence[BenchRow], where: str) -> None:
    largest = max(row.values for row in flat)
    rows = _ordered(row for row in flat if row.values == largest and row.status == "ok")
    show_table(
        f"{_size(largest)} values of {where}",
        ["contender", "ms a call", "quartiles", "GB/s", "of the limit", "relative error", "rounded", "CPUs"],
        [
            [
                row.contender,
                number(1e3 * row.seconds, 4),
                f"{number(1e3 * row.low)} - {number(1e3 * row.high)}",
                number(row.gbps),
                f"{row.of_limit:.2f}",
                "-" if math.isnan(row.error) else number(row.error, 2),
                "correctly" if row.rounded else "",
                f"{row.cpus:.1f}" + (" !" if row.cpus > row.threads + 0.25 else ""),
            ]
            for row in rows
        ],
        note=""
        if all(row.cpus <= row.threads + 0.25 for row in rows)
        else "!: it used more threads than it was allowed.",
    )


def _show_sizes(flat: Sequence[BenchRow], where: str) -> None:
    sizes = sorted({row.values for row in flat})
    if len(sizes) < 2:
        return
    cells = {(row.contender, row.values): row for row in flat if row.status == "ok"}
    names = [row.contender for row in _ordered(row for row in flat if row.values == sizes[-1] and row.status == "ok")]
    show_table(
        f"GB/s by number of values, {where}",
        ["contender", *map(_size, sizes)],
        [[name, *(number(cells[name, n].gbps) if (name, n) in cells else "-" for n in sizes)] for name in names],
    )


def _show_norms(rows: Sequence[BenchRow], where: str) -> None:
    from ..bench.cpu.bench_record import LIMIT  # noqa: PLC0415

    if not rows:
        return
    names = list(dict.fromkeys(row.contender for row in rows if row.status == "ok"))
    norms = list(dict.fromkeys(row.norm for row in rows))
    cells = {(row.contender, row.norm): row for row in rows if row.status == "ok"}
    lines = []
    for name in names:
        mine = [cells[name, norm] for norm in norms if (name, norm) in cells]
        errors = [row.error for row in mine if not math.isnan(row.error)]
        lines.append(
            [
                name,
                *(f"{cells[name, norm].of_limit:.2f}" if (name, norm) in cells else "-" for norm in norms),
                number(max(errors), 2) if errors else "-",
            ]
        )
    shape = "x".join(map(str, rows[0].shape))
    reading = [row.gbps for row in rows if row.contender == LIMIT]
    limit = f" ({number(max(reading))} GB/s)" if reading else ""
    show_table(
        f"Feature map {shape} of {where}: share of the read limit{limit}; 'all' is four norms from one call",
        ["contender", *norms, "worst relative error"],
        lines,
    )


def _show_absent(rows: Sequence[BenchRow]) -> None:
    seen: dict[str, str] = {}
    for row in rows:
        if row.status != "ok":
            seen.setdefault(f"{row.contender}: {row.status}", row.reason)
    for what, why in seen.items():
        click.echo(f"{what} ({why}).")
    if any(row.status == "not installed" for row in rows):
        click.echo("All peers: pip install 'varstudy[peers]'.")
    if seen:
        click.echo("")
