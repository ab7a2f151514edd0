"""What ``gpu`` does: check and time the CUDA kernels, write gpu.json, show tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from varkernels.cuda import DeviceError

from ..bench.gpu import gpu_record, measuring, own_arrays
from ..bench.gpu.card import Card
from ..bench.gpu.gpu_record import GpuRow
from ..bench.targets import read_targets
from .console import command_words, many, number, paragraph, progress, say
from .measured import leave, show_targets
from .output_folder import prepared
from .program import NO_DEVICE, REGRESSION
from .tables import show_table

__all__ = ["gpu"]


def gpu(quick: bool, kernels: str | None, seed: int, out: str, as_json: bool) -> None:
    """Check and time the kernels, write gpu.json and show it."""
    algorithms = measuring.chosen(kernels)
    try:
        machine = Card()
        prepared(out)
        plan = replace(measuring.SHORT if quick else measuring.FULL, seed=seed)
        content = measuring.measure(machine, algorithms, plan, command_words(out=False), progress("measuring"))
        content["own_arrays"] = own_arrays.record()
    except DeviceError as problem:
        say(f"varstudy: {problem} ('python -m varstudy run --device ptx')")
        raise click.exceptions.Exit(NO_DEVICE) from problem
    leave(out, gpu_record.FILE, content, None if as_json else lambda: _show(content))
    if not content["checks"]["passed"] or content["own_arrays"]["failed"]:
        raise click.exceptions.Exit(REGRESSION)


# Lines of each table that show kernels.
SHOWN = 6


def _show(content: Mapping[str, Any]) -> None:
    device = content["device"]
    click.echo(f"{device['name']}, driver for CUDA {device.get('driver_cuda', '?')}\n")
    _show_checks(content["checks"])
    _show_own_arrays(content["own_arrays"])
    show_targets(read_targets(content["targets"]), "Speed")
    rows = gpu_record.rows(content)
    for (shape, layout, storage), part in gpu_record.by_map(rows).items():
        _show_map(f"{shape} {layout}, {storage}", part)
    _show_absent(rows)
    absent = content["settings"]["torch"]["absent"]
    if absent:
        paragraph(f"PyTorch: not measured: {absent}.")
    for name in ("copy", "cache"):
        paragraph(f"{name.capitalize()}: {content['settings']['rules'][name]}.")


def _show_checks(checks: Mapping[str, Any]) -> None:
    mismatches = f"{checks['mismatches']} mismatch" + ("" if checks["mismatches"] == 1 else "es")
    compared = f"{checks['compared']:,} answers compared, {mismatches}"
    if checks["not_compared"]:
        compared = f"not compared: {checks['not_compared']}"
    worst = "" if checks["worst"] is None else f"; the largest error is {number(checks['worst'])} of its bound"
    show_table(
        f"Checks: {many(checks['runs'], 'run')} of {many(len(checks['algorithms']), 'kernel')} "
        f"on {many(len(checks['maps']), 'feature map')}",
        ["check", "found"],
        [
            ["bits of the executed PTX", compared],
            ["bounds", f"{checks['bounded']:,} bounded, {checks['beyond']:,} beyond their bound{worst}"],
            ["runs that failed", f"{checks['failed']:,}"],
        ],
        left=2,
    )
    for what in (line for lines in checks["first"].values() for line in lines):
        paragraph(f"FAILED: {what}", wrong=True)
    if any(checks["first"].values()):
        click.echo("")


def _show_own_arrays(found: Mapping[str, Any]) -> None:
    """Whether users' own arrays are reduced on the GPU as they should be."""
    if found["absent"]:
        paragraph(f"Users' arrays: not checked: {found['absent']}.")
        return
    torch = f", PyTorch {found['torch']}" if found["torch"] else ""
    paragraph(f"Users' arrays on the GPU{torch}: {many(found['checks'], 'check')}, {len(found['failed'])} failed.")
    for what in found["failed"][:SHOWN]:
        paragraph(f"FAILED: {what}", wrong=True)


def _cell(row: GpuRow | None) -> str:
    if row is None:
        return ""
    if row.status != "ok":
        return "-"
    ratio = "" if math.isnan(row.of_torch) else f" {row.of_torch:.2f}x"
    return f"{number(row.gbps, 4)} {row.of_copy:.2f}{ratio}"


def _show_map(where: str, part: Sequence[GpuRow]) -> None:
    """The fastest kernels of a feature map, and all others."""
    norms = list(dict.fromkeys(row.norm for row in part))
    names = list(dict.fromkeys((row.kind, row.contender) for row in part))
    cells = {(row.kind, row.contender, row.norm): row for row in part}

    def pace(key: tuple[str, str]) -> float:
        rates = [cells[(*key, norm)].gbps for norm in norms if (*key, norm) in cells]
        return -max((rate for rate in rates if not math.isnan(rate)), default=0.0)

    kernels = sorted((key for key in names if key[0] == "kernel"), key=pace)
    others = [key for key in names if key[0] != "kernel"]
    show_table(
        f"{where}: GB/s, share of the copy's rate" + (", speed next to PyTorch's best" if len(others) > 1 else ""),
        ["contender", *norms],
        [[key[1], *(_cell(cells.get((*key, norm))) for norm in norms)] for key in (*others, *kernels[:SHOWN])],
        more=[*reversed(norms[1:])],
        note=f"{len(kernels) - SHOWN} more kernels are in gpu.json." if len(kernels) > SHOWN else "",
    )


def _show_absent(rows: Sequence[GpuRow]) -> None:
    seen = dict.fromkeys(
        f"{'x'.join(map(str, row.shape))} {row.storage}, {row.contender}: {row.status} ({row.reason})."
        for row in rows
        if row.status not in ("ok", "not applicable")
    )
    for line in list(seen)[:SHOWN]:
        paragraph(line)
    if len(seen) > SHOWN:
        click.echo(f"{len(seen) - SHOWN} more of this kind are in gpu.json.")
