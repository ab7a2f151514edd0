"""What ``bench`` does: measure, write bench.json, show tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import click

from .._io.matching import matches, nearest
from ..bench.cpu import bench_record, launch
from ..bench.cpu.bench_record import LIMIT, BenchRow
from ..bench.cpu.peers import CONTENDERS, OURS
from ..bench.targets import read_targets
from .console import Problem, command_words, many, number, paragraph
from .measured import leave, show_targets
from .output_folder import prepared
from .tables import show_table

__all__ = ["bench"]


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
    """Measure, write bench.json and show it."""
    prepared(out)
    plan = launch.QUICK if quick else launch.FULL
    plan = replace(
        plan,
        sizes=sizes or plan.sizes,
        threads=tuple(sorted(set(threads))) or plan.threads,
        rounds=rounds or plan.rounds,
        shape=None if no_norms else plan.shape,
        tables=() if no_norms else plan.tables,
        seed=seed,
        contenders=_contenders(only),
    )
    content = launch.run(plan, command_words(out=False))
    leave(out, bench_record.FILE, content, None if as_json else lambda: _show(content))


def _contenders(only: str | None) -> tuple[str, ...]:
    if only is None:
        return ()

    known = [each.name for each in CONTENDERS]
    found = tuple(name for name in known if matches(name, only))
    if not found:
        raise Problem(f"contender {only!r} is unknown: {nearest(only, known, 'use one of ' + ', '.join(known))}")
    return found


def _size(values: int) -> str:
    power = values.bit_length() - 1
    return f"2^{power}" if values == 1 << power > 999 else f"{values:,}"


def _show(content: dict[str, Any]) -> None:
    rows = bench_record.rows(content)
    paragraph(_answer(rows))
    show_targets(read_targets(content["targets"]), "One thread")
    parts: dict[tuple[int, str], list[BenchRow]] = {}
    for row in rows:
        parts.setdefault((row.threads, row.dtype), []).append(row)
    for (threads, dtype), part in parts.items():
        where = f"{dtype}, {threads} thread" + ("" if threads == 1 else "s")
        flat = [row for row in part if row.norm == "flat"]
        if flat:
            _show_largest(flat, where)
            _show_sizes(flat, where)
        _show_norms([row for row in part if row.norm != "flat" and not row.norm.startswith("ax")], where)
        _show_tables([row for row in part if row.norm.startswith("ax")], where)
    _show_absent(rows)
    for line in content["settings"]["left_out"]:
        paragraph(f"Left out: {line}.")


def _answer(rows: Iterable[BenchRow]) -> str:
    """Our time over numpy.var's, over all arrays that both were timed on with the fewest threads."""
    timed = [row for row in rows if row.status == "ok"]
    fewest = min((row.threads for row in timed), default=1)
    seconds: dict[str, dict[object, float]] = {OURS: {}, "numpy.var": {}}
    for row in timed:
        if row.threads == fewest and row.contender in seconds:
            seconds[row.contender][row.dtype, tuple(row.shape), row.norm] = row.seconds
    ours, numpy = seconds.values()
    ratios = sorted(ours[array] / numpy[array] for array in ours if array in numpy)
    if not ratios:
        return f"{OURS} and numpy.var were not timed on the same arrays: there is no ratio."
    span = f"{number(ratios[0], 2)}" + (f" to {number(ratios[-1], 2)}" if len(ratios) > 1 else "")
    slower = sum(ratio > 1 for ratio in ratios)
    return (
        f"varstudy.var takes {span} of numpy.var's time on {many(len(ratios), 'array')}, with "
        f"{many(fewest, 'thread')}" + (f"; it is slower on {slower}." if slower else ".")
    )


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
                f"{number(1e3 * row.low)}–{number(1e3 * row.high)}",
                number(row.gbps),
                f"{row.of_limit:.2f}",
                "-" if math.isnan(row.error) else number(row.error, 2),
                "correctly" if row.rounded else "",
                f"{row.cpus:.1f}" + (" !" if row.cpus > row.threads + 0.25 else ""),
            ]
            for row in rows
        ],
        more=("CPUs", "quartiles", "of the limit", "GB/s"),
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
        more=[_size(n) for n in (*sizes[-2::-2], *sizes[-3::-4], *sizes[-5::-8])],
    )


def _show_norms(rows: Sequence[BenchRow], where: str) -> None:
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
        more=[*reversed(norms[1:])],
    )


def _show_tables(rows: Sequence[BenchRow], where: str) -> None:
    """Each contender's time over numpy.var's, a line for each table."""
    if not rows:
        return
    names = list(dict.fromkeys(row.contender for row in rows if row.status == "ok"))
    cells = {(tuple(row.shape), row.norm, row.contender): row for row in rows if row.status == "ok"}
    others = [name for name in names if name != LIMIT]
    lines = []
    for shape, norm in dict.fromkeys((tuple(row.shape), row.norm) for row in rows):
        numpy = cells.get((shape, norm, "numpy.var"))
        mine = [cells.get((shape, norm, name)) for name in others]
        lines.append(
            [
                f"{'x'.join(map(str, shape))} {norm}",
                "-" if numpy is None else number(1e3 * numpy.seconds),
                *("-" if row is None or numpy is None else f"{row.seconds / numpy.seconds:.2f}" for row in mine),
            ]
        )
    show_table(
        f"Rows and columns of {where}: time over numpy.var's; less is faster",
        ["array", "numpy.var ms", *others],
        lines,
        more=[*reversed(others[1:])],
    )


def _show_absent(rows: Sequence[BenchRow]) -> None:
    seen: dict[str, str] = {}
    for row in rows:
        if row.status != "ok":
            seen.setdefault(f"{row.contender}: {row.status}", row.reason)
    for what, why in seen.items():
        paragraph(f"{what} ({why}).")
    if any(row.status == "not installed" for row in rows):
        click.echo("All peers: pip install 'varstudy[peers]'.")
    if seen:
        click.echo("")
