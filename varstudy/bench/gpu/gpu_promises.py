"""What the kernels promise on a GPU: the speed of a copy, and PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from varkernels.cuda import algorithms
from varkernels.formats import FORMATS

from ..targets import Target, noise
from .gpu_record import GpuRow, by_map

__all__ = ["COPY_SHARE", "contenders", "fastest", "judged"]

# Of the copy's rate, and of PyTorch's best.
COPY_SHARE, TORCH_RATIO = 0.90, 1.0
# Of the L2 cache's size: what a copy writes of a smaller map is still in it when its time ends.
LARGE = 4


def contenders(rows: Iterable[GpuRow]) -> list[GpuRow]:
    """The rows of the kernels that are promised: measured ones, but for the naive formula, which is no variance."""
    known = algorithms()
    return [
        row
        for row in rows
        if row.kind == "kernel"
        and row.status == "ok"
        and row.contender in known
        and known[row.contender].formula.name != "naive"
    ]


def fastest(rows: Iterable[GpuRow]) -> GpuRow | None:
    """The fastest of them; None where none was measured."""
    return min(contenders(rows), key=lambda row: row.seconds, default=None)


def judged(rows: Sequence[GpuRow], torch: str, cache: int = 0) -> list[Target]:
    """For every feature map the fastest kernel's share of the copy's rate, and its speed next to PyTorch's best.

    Both of the norm in which it is smallest.

    Parameters
    ----------
    torch : why PyTorch is not measured; empty where it is.
    cache : bytes of the L2 cache; maps of up to four times as many are not judged.
    """
    found = []
    rows = [row for row in rows if _bytes(row) > LARGE * cache]
    for (shape, layout, storage), part in by_map(rows).items():
        norms = {norm: [row for row in part if row.norm == norm] for norm in dict.fromkeys(row.norm for row in part)}
        best = [row for row in map(fastest, norms.values()) if row is not None]
        away = [norm for norm, mine in norms.items() if fastest(mine) is None]
        why = next((row.reason for row in part if row.reason), "no kernel but the naive one")
        for name, wanted, ratio, absent in (
            ("copy rate", COPY_SHARE, "of_copy", why),
            ("PyTorch's best", TORCH_RATIO, "of_torch", torch or why),
        ):
            target = Target(f"fastest kernel / {name}, {shape} {layout}", storage, wanted, False, math.nan)
            found.append(_measured(target, best, away, ratio, absent))
    return found


def _bytes(row: GpuRow) -> int:
    return math.prod(row.shape) * FORMATS[row.storage].dtype.itemsize


def _measured(target: Target, best: list[GpuRow], away: list[str], ratio: str, why: str) -> Target:
    """With the smallest ratio over the norms; nothing where it is not known in one of them."""
    ratios = [(getattr(row, ratio), row) for row in best]
    if away or not ratios or any(math.isnan(value) for value, _ in ratios):
        return replace(target, note=f"not measured: {why}")
    value, row = min(ratios, key=lambda pair: pair[0])
    return replace(target, measured=value, note="; ".join(filter(None, (f"{row.contender}, {row.norm}", noise(row)))))
