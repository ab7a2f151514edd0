"""The whole measurement: checks, races, targets; the content of a gpu.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from varkernels.cuda import Algorithm, DeviceError, algorithms, library
from varkernels.cuda.run import Device, device

from ..._io import provenance
from ..._io.matching import matches, nearest
from ..._io.progress import Progress
from . import torch_peer
from .checks import QUICK, Checks, check, parts
from .gpu_promises import judged
from .gpu_record import GpuProblem, GpuRow
from .machine import Machine
from .racing import GpuPlan, Torch, races

__all__ = ["FULL", "SHORT", "chosen", "measure"]


FULL = GpuPlan()
SHORT = GpuPlan(shapes=((32, 64, 56, 56),), rounds=7, maps=QUICK)


def chosen(pattern: str | None) -> list[Algorithm]:
    """The algorithms whose name matches a glob or contains the pattern; all without one.

    Raises
    ------
    GpuProblem
        There is none.
    """
    known = algorithms()
    found = [each for name, each in known.items() if pattern is None or matches(name, pattern)]
    if not found:
        raise GpuProblem(
            f"CUDA kernel {pattern!r} is unknown: {nearest(str(pattern), known, 'use one of ' + ', '.join(known))}"
        )
    return found


def _executor() -> Device | str:
    try:
        return device("ptx")
    except DeviceError as problem:
        return str(problem)


def measure(
    machine: Machine,
    kernels: Sequence[Algorithm],
    plan: GpuPlan,
    argv: Sequence[str],
    progress: Progress,
    torch: Torch | None = None,
) -> dict[str, Any]:
    """Check and time the kernels on a machine: the content of a gpu.json, and nothing is written.

    Parameters
    ----------
    kernels : as `chosen` gives them. argv : the command line. torch : PyTorch, as it is found where it is None.
    """
    torch = Torch(*torch_peer.load()) if torch is None else torch
    absent = "" if torch.module is not None else torch.note
    before = dict(machine.clocks())
    maps = parts(plan.maps)
    count = len(plan.shapes) * len(plan.storages) * len(plan.layouts) * len(plan.norms)
    facts = machine.facts()
    checks, rows = Checks(), list[GpuRow]()
    progress.start(len(maps) + count, 0)
    try:
        for label in check(machine.device, _executor(), kernels, maps, plan.seed, checks):
            progress.advance(label)
        for label, found in races(machine, kernels, torch, plan):
            rows += found
            progress.advance(label)
    finally:
        progress.stop()
    return {
        "settings": {
            "shapes": [list(shape) for shape in plan.shapes],
            "groups": plan.groups,
            "rounds": plan.rounds,
            "seed": plan.seed,
            "data": "1000 + N(0, 1)",
            "build": "contracted; the checks are of both builds",
            "torch": {"version": "" if absent else torch.note, "absent": absent},
            "rules": _rules(machine),
        },
        "provenance": {**provenance.collect(argv), "ptx": _ptx()},
        "device": {**facts, "clocks_before": before, "clocks_after": dict(machine.clocks())},
        "checks": checks.record(),
        "targets": [each.record() for each in judged(rows, absent, int(facts.get("l2_cache_bytes", 0)))],
        "rows": [row.record() for row in rows],
    }


def _rules(machine: Machine) -> Mapping[str, str]:
    """How the numbers are to be read."""
    return {
        "time": "between two CUDA events on one stream, the data on the device already; the host launches ahead, so "
        "that its time is not in it; medians of rounds in which every contender takes its turn",
        "cache": machine.cache_rule(),
        "rate": "a reduction's GB/s are the feature map's bytes, counted once, in 10^9 over its time; two-pass kernels "
        "read them twice",
        "copy": "a device-to-device copy of the same bytes, which moves each of them twice: its GB/s count both; what "
        "it writes may still lie in the L2 cache when its time ends",
        "torch": "the fastest of PyTorch's functions; layer_norm and group_norm write the normalised map too",
    }


def _ptx() -> dict[str, Any]:
    """Which kernels these were: the versions that compiled them, and the hash of their texts' hashes."""
    manifest = library.manifest()
    texts = "\n".join(f"{each['name']} {each['sha256']}" for each in manifest["kernels"])
    return {"versions": manifest.get("versions", {}), "digest": library.digest(texts)}
