"""The section on the GPU's speed: what `python -m varstudy gpu` checked and timed, from gpu.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ...bench.gpu import gpu_record
from ...bench.gpu.gpu_record import GpuRow
from ...bench.targets import Target, read_targets
from ..rendering import sentence
from ..words import clean, code, number, percent

__all__ = ["GpuSpeed", "section"]

_VERDICTS = {True: "met", False: "missed", None: "not measured"}


# A feature map's table: its title, its norms, and for each contender a cell a norm.
SpeedTable = tuple[str, tuple[str, ...], tuple[tuple[Markup, tuple[str, ...]], ...]]


@dataclass(frozen=True)
class GpuSpeed:
    """The GPU's speed; or why there is none: `problem`, empty where it was never measured.

    Attributes
    ----------
    device : name and driver, empty where nothing was measured. checks : what was checked.
    targets : name, storage, wanted, measured, verdict. parts : a table a feature map. rules : how to read the numbers.
    absent : what was not measured, and why.
    """

    device: str = ""
    checks: str = ""
    targets: tuple[tuple[str, ...], ...] = ()
    parts: tuple[SpeedTable, ...] = ()
    rules: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    problem: str = ""


def section(gpu: Mapping[str, Any] | str | None) -> GpuSpeed:
    """The section for a gpu.json's content; for a sentence, or nothing, one that says so."""
    if gpu is None or isinstance(gpu, str):
        return GpuSpeed(problem=clean(gpu or "").rstrip("."))
    rows = gpu_record.rows(gpu)
    device, settings = gpu["device"], gpu["settings"]
    absent = dict.fromkeys(
        f"{'×'.join(map(str, row.shape))} in {row.storage}, {row.contender}: {row.reason or row.status}"
        for row in rows
        if row.status not in ("ok", "not applicable")
    )
    torch = str(settings.get("torch", {}).get("absent", ""))
    return GpuSpeed(
        clean(f"{device.get('name', 'a GPU')}, driver for CUDA {device.get('driver_cuda', '?')}"),
        sentence("checks", checks=gpu["checks"]),
        tuple(map(_target, read_targets(gpu["targets"]))),
        tuple(_part(*where, part) for where, part in gpu_record.by_map(rows).items()),
        tuple(clean(rule).rstrip(".") for rule in settings.get("rules", {}).values()),
        tuple(clean(line).rstrip(".") for line in ([f"PyTorch: {torch}"] if torch else []) + list(absent)),
    )


def _target(each: Target) -> tuple[str, ...]:
    wanted = ("at most " if each.at_most else "at least ") + number(each.wanted)
    measured = "–" if math.isnan(each.measured) else number(each.measured)
    return (clean(each.name), clean(each.dtype), wanted, measured, _VERDICTS[each.met], clean(each.note))


def _cell(row: GpuRow | None) -> str:
    if row is None:
        return ""
    if row.status != "ok":
        return "–"
    words = [number(row.gbps), "" if math.isnan(row.of_copy) else percent(row.of_copy)]
    if not math.isnan(row.of_torch):
        words.append(f"{number(row.of_torch)}×")
    return " · ".join(word for word in words if word)


def _part(shape: str, layout: str, storage: str, part: Sequence[GpuRow]) -> SpeedTable:
    """The copy and PyTorch's first, then the kernels, fastest first."""
    norms = tuple(dict.fromkeys(row.norm for row in part))
    cells = {(row.kind, row.contender, row.norm): row for row in part}
    best: dict[tuple[str, str], float] = {}
    for row in part:
        rate = 0.0 if math.isnan(row.gbps) else row.gbps
        best[row.kind, row.contender] = max(rate, best.get((row.kind, row.contender), 0.0))
    kinds = ("copy", "torch", "kernel")
    order = sorted(best, key=lambda name: (kinds.index(name[0]) if name[0] in kinds else len(kinds), -best[name]))
    rows = tuple((code(name[1]), tuple(_cell(cells.get((*name, norm))) for norm in norms)) for name in order)
    return clean(f"{shape.replace('x', '×')} {layout}, {storage}"), norms, rows
