"""What the kernels promise on a GPU: the speed of a copy, and PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from varkernels.cuda import algorithms

from ..targets import Target, noise
from .gpu_record import GpuRow

__all__ = ["COPY_SHARE", "contenders", "fastest", "judged"]

# Of the copy's rate, and of PyTorch's best.
COPY_SHARE, TORCH_RATIO = 0.90, 1.0


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


def _parts(rows: Sequence[GpuRow]) -> dict[tuple[str, str, str], dict[str, list[GpuRow]]]:
    """The rows of each feature map (shape, layout, storage), by norm."""
    found: dict[tuple[str, str, str], dict[str, list[GpuRow]]] = {}
    for row in rows:
        key = ("x".join(map(str, row.shape)), row.layout, row.storage)
        found.setdefault(key, {}).setdefault(row.norm, []).append(row)
    return found


def judged(rows: Sequence[GpuRow], torch: str) -> list[Target]:
    """For every feature map the fastest kernel's share of the copy's rate, and its speed beside PyTorch's best.

    Both of the norm in which it is smallest.

    Parameters
    ----------
    torch : why PyTorch is not measured; empty where it is.
    """
    found = []
    for (shape, layout, storage), norms in _parts(rows).items():
        where = f"{shape} {layout}"
        best = [row for row in map(fastest, norms.values()) if row is not None]
        away = [norm for norm, part in norms.items() if fastest(part) is None]
        why = next((row.reason for part in norms.values() for row in part if row.reason), "no kernel but the naive one")
        found.append(
            _target(f"fastest kernel / copy rate, {where}", storage, COPY_SHARE, best, away, lambda r: r.of_copy, why)
        )
        found.append(
            _target(
                f"fastest kernel / PyTorch's best, {where}",
                storage,
                TORCH_RATIO,
                best,
                away,
                lambda r: r.of_torch,
                torch or why,
            )
        )
    return found


def _target(
    name: str,
    dtype: str,
    wanted: float,
    best: list[GpuRow],
    away: list[str],
    ratio: Callable[[GpuRow], float],
    why: str,
) -> Target:
    """The smallest ratio over the norms; nothing where it is not known in one of them."""
    known = [row for row in best if not math.isnan(ratio(row))]
    missing = away + [row.norm for row in best if math.isnan(ratio(row))]
    if missing or not known:
        return Target(name, dtype, wanted, False, math.nan, f"not measured: {why}")
    worst = min(known, key=ratio)
    doubt = noise(worst)
    return Target(
        name, dtype, wanted, False, ratio(worst), f"{worst.contender}, {worst.norm}" + (f"; {doubt}" if doubt else "")
    )
