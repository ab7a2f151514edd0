"""The CUDA kernels' chapter: what contraction does to each algorithm, and how they compare with the CPU's kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ..model.facts import Facts
from ..rendering import sentence
from ..words import clean, count, digits
from .wide_tables import DEVICES

__all__ = ["ContractedKernel", "Contraction", "KernelBuild", "chapter"]

# A measurement of both builds: all that names it but the build.
_NAMED = ["algorithm", "storage", "accumulator"]
_PLACE = [*_NAMED, "case", "norm", "groups", "correction"]
_COMPARED = ["var_error_worst", "var_error_median", "var_bias", "mean_error_worst", "mean_bias"]
_COUNTED = ["contraction", "judged", "posed", "wrong", "var_digits_worst", "var_negative", "kappa_worst"]


@dataclass(frozen=True)
class KernelBuild:
    """What one build of an algorithm did.

    Attributes
    ----------
    fails : lines with a variance that is negative, NaN, infinite or not zero on constants. negative : lines with a
        variance below zero. constants : rows of equal values whose variance is not zero, in lines.
    median, worst : correct digits over the well-posed lines that do not fail.
    """

    fails: int
    negative: int
    constants: int
    median: str
    worst: str


@dataclass(frozen=True)
class ContractedKernel:
    """An algorithm in one pair of formats, contracted and not."""

    algorithm: str
    storage: str
    accumulator: str
    lines: int
    differ: int
    on: KernelBuild
    off: KernelBuild


@dataclass(frozen=True)
class Contraction:
    """device : in words. kernels : a line of the table each. notes : what they show. absent : what was not measured,
    and why."""

    device: str
    kernels: tuple[ContractedKernel, ...]
    notes: tuple[Markup, ...]
    absent: tuple[Markup, ...]

    @property
    def pairs(self) -> list[tuple[str, list[ContractedKernel]]]:
        """The kernels by storage and accumulator, float32 first."""
        found: dict[tuple[str, str], list[ContractedKernel]] = {}
        for kernel in self.kernels:
            found.setdefault((kernel.storage, kernel.accumulator), []).append(kernel)
        order = sorted(found, key=lambda pair: pair != ("float32", "float32"))
        return [(f"{storage} in {accumulator}", found[storage, accumulator]) for storage, accumulator in order]


def _build(rows: pd.DataFrame) -> KernelBuild:
    counted = rows[rows["judged"]]
    shown = counted.loc[counted["posed"] & ~counted["wrong"], "var_digits_worst"]
    constant = counted[np.isinf(counted["kappa_worst"])]
    return KernelBuild(
        int(counted["wrong"].sum()),
        int((counted["var_negative"] > 0).sum()),
        int(constant["wrong"].sum()),
        digits(float(shown.median())) if len(shown) else "–",
        digits(float(shown.min())) if len(shown) else "–",
    )


def _differ(on: pd.DataFrame, off: pd.DataFrame) -> int:
    """Lines whose aggregates of variance or mean are not the same in both builds."""
    first, second = (
        rows.set_index("place")[_COMPARED].add_suffix(f"_{name}") for name, rows in (("on", on), ("off", off))
    )
    both = first.join(second, how="inner").to_numpy()
    a, b = both[:, : len(_COMPARED)], both[:, len(_COMPARED) :]
    return int((~((a == b) | (np.isnan(a) & np.isnan(b)))).any(axis=1).sum())


def _kernels(frame: pd.DataFrame) -> tuple[ContractedKernel, ...]:
    found = []
    places = frame.groupby(_PLACE, sort=False, dropna=False).ngroup()
    narrow = frame[[*_NAMED, *_COMPARED, *_COUNTED]].assign(place=places)
    for (algorithm, storage, accumulator), rows in narrow.groupby(_NAMED, sort=False):
        on, off = (rows[rows["contraction"] == build] for build in ("on", "off"))
        if len(on) and len(off):
            found.append(
                ContractedKernel(
                    str(algorithm), str(storage), str(accumulator), len(on), _differ(on, off), _build(on), _build(off)
                )
            )
    return tuple(found)


def _notes(kernels: tuple[ContractedKernel, ...]) -> tuple[Markup, ...]:
    if not kernels:
        return ()
    differ, lines = sum(k.differ for k in kernels), sum(k.lines for k in kernels)
    notes = [sentence("contracted", differ=differ, lines=lines)]
    spoiled = [k for k in kernels if k.on.constants > k.off.constants]
    if spoiled:
        worst = max(spoiled, key=lambda k: k.on.constants - k.off.constants)
        notes.append(sentence("spoiled", worst=worst))
    more = [k for k in kernels if k.on.negative != k.off.negative]
    if more:
        notes.append(
            Markup("Of {} a variance is negative on {} contracted, on {} not.").format(
                count(lines, "measurement"), sum(k.on.negative for k in kernels), sum(k.off.negative for k in kernels)
            )
        )
    weighted = sum(k.on.constants for k in kernels if k.algorithm == "chan_weighted/grid4")
    by_delta = sum(k.on.constants for k in kernels if k.algorithm == "chan/grid4")
    if weighted > by_delta:
        notes.append(sentence("weighted", weighted=weighted, by_delta=by_delta))
    return tuple(notes)


def chapter(facts: Facts) -> Contraction:
    """The CUDA kernels of a table; without any, why."""
    settings: Any = facts.settings.get("devices")
    reasons: Mapping[str, Any] = settings if isinstance(settings, Mapping) else {}
    absent = tuple(
        Markup("{}: not measured: {}.").format(DEVICES.get(str(device), clean(device)), clean(str(reason).rstrip(".")))
        for device, reason in reasons.items()
        if reason
    )
    frame = facts.frame[facts.frame["device"].isin(["ptx", "cuda"])]
    if frame.empty:
        return Contraction("", (), (), absent)
    device = str(frame["device"].iloc[0])
    kernels = _kernels(frame[frame["device"] == device])
    return Contraction(DEVICES[device], kernels, _notes(kernels), absent)
