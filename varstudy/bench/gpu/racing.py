"""Feature maps on the device, and every contender on each of them in turn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.cuda import Algorithm, DeviceError
from varkernels.cuda.catalogue import accumulator_of
from varkernels.cuda.inputs import checked
from varkernels.cuda.launch_plan import geometry_of, plan
from varkernels.formats import FORMATS
from varkernels.views import view

from .. import timing
from ..targets import NORMS
from ..timing import Runner
from . import torch_peer
from .checks import MAPS
from .gpu_record import COPY, GpuRow
from .machine import Machine, Resident

__all__ = ["GpuPlan", "Torch", "races", "values"]

LAYOUTS = ("NCHW", "NHWC")
STORAGES = ("float32", "float16", "bfloat16", "float64")
# Seconds: a contender that takes longer joins a few rounds only.
SLOW = 0.02
# Rows for each multiprocessor from which on a thread a row can keep the device busy.
ROWS_EACH = 4
TILE = 1 << 20
MEAN = 1000


@dataclass(frozen=True)
class Torch:
    """PyTorch, or None and why it is not measured. calls : as `torch_peer.calls`."""

    module: Any
    note: str
    calls: Callable[..., Mapping[str, Callable[[], Any]]] = field(default=torch_peer.calls, repr=False)
    tensor: Callable[..., Any] = field(default=torch_peer.tensor, repr=False)


@dataclass(frozen=True)
class GpuPlan:
    """What is measured. shapes : N, C, H, W. maps : names of the feature maps for the checks."""

    shapes: tuple[tuple[int, int, int, int], ...] = ((32, 64, 56, 56), (256, 256, 56, 56))
    storages: tuple[str, ...] = STORAGES
    layouts: tuple[str, ...] = LAYOUTS
    norms: tuple[str, ...] = NORMS
    groups: int = 32
    rounds: int = 15
    maps: tuple[str, ...] = MAPS
    seed: int = 0


def values(shape: Sequence[int], storage: str, seed: int) -> NDArray[Any]:
    """A map of 1000 + N(0, 1) in a storage format: 2^20 values drawn, repeated until it is full."""
    size = math.prod(shape)
    rng = np.random.default_rng([seed, size])
    tile = (MEAN + rng.standard_normal(min(size, TILE))).astype(FORMATS[storage].dtype)
    return np.resize(tile, tuple(shape))


class _Timed(Runner):
    """A contender timed on the device."""

    def __init__(self, name: str, call: Callable[[], Any], machine: Machine) -> None:
        super().__init__(name, call)
        self._machine, self._ahead = machine, 1

    def calibrate(self) -> None:
        self._ahead = self._machine.warm(self.call)

    def sample(self) -> tuple[float, float]:
        return self._machine.time(self.call, self._ahead), 0.0


def _failure(reason: str) -> tuple[str, str]:
    """Status and reason of what failed: out of memory is not a contender's fault."""
    sentence = reason.removeprefix("DeviceError: ")
    return ("out of memory" if "out of memory" in sentence.lower() else "failed"), sentence


class _Race:
    """The contenders on one feature map under one norm."""

    def __init__(
        self, machine: Machine, torch: Torch, plan: GpuPlan, array: NDArray[Any], layout: str, norm: str, storage: str
    ) -> None:
        self._machine, self._torch, self._plan, self._array = machine, torch, plan, array
        self._layout, self._norm, self._storage = layout, norm, storage
        self.rows: list[GpuRow] = []

    def _row(self, accumulator: str, kind: str, contender: str) -> GpuRow:
        groups = self._plan.groups if self._norm == "group" else 0
        shape, storage = list(self._array.shape), self._storage
        row = GpuRow(shape, self._layout, self._norm, groups, storage, accumulator, kind, contender)
        self.rows.append(row)
        return row

    def run(self, resident: Resident | str, algorithms: Sequence[Algorithm]) -> list[GpuRow]:
        """Rows of all; `resident` is the map on the device, or why it is not there."""
        torch, norm, groups = self._torch, self._norm, self._plan.groups
        accumulator = accumulator_of(FORMATS[self._storage])
        n, c, h, w = self._array.shape
        physical = (n, h, w, c) if self._layout == "NHWC" else (n, c, h, w)
        seen = view(
            self._array.reshape(physical), norm, layout=self._layout, groups=groups if norm == "group" else None
        )
        rows4, stored, _ = checked(seen, accumulator)
        copy = self._row("", "copy", COPY)
        ours = [(each, self._row(accumulator.name, "kernel", each.name)) for each in algorithms]
        if isinstance(resident, str):
            for row in self.rows:
                row.status, row.reason = _failure(resident)
            return self.rows
        idle = rows4.shape[0] * rows4.shape[2] < ROWS_EACH * int(self._machine.facts().get("multiprocessors", 0))
        for each, row in ours:
            if idle and each.order == "thread":
                row.status, row.reason = "not applicable", "a thread a row, and too few rows to keep the device busy"
        runners: list[tuple[Runner, GpuRow]] = []
        with ExitStack() as stack:

            def enter(row: GpuRow, prepare: Callable[[], Callable[[], Any]]) -> None:
                try:
                    runners.append((_Timed(row.contender, prepare(), self._machine), row))
                except DeviceError as problem:
                    row.status, row.reason = _failure(str(problem))
                except ValueError as problem:  # a plan that there is not
                    row.status, row.reason = "not applicable", str(problem)

            enter(copy, lambda: stack.enter_context(resident.copy()))
            for each, row in ours:
                if row.status == "not applicable":
                    continue
                enter(
                    row,
                    lambda each=each: stack.enter_context(  # type: ignore[misc]
                        resident.kernel(plan(geometry_of(rows4), each, stored, accumulator, True))
                    ),
                )
            if torch.module is not None:
                x = torch.tensor(torch.module, resident.shared(physical, self._storage), self._storage)
                for name, call in torch.calls(torch.module, x, norm, self._layout, groups).items():
                    enter(self._row("", "torch", name), lambda call=call: call)  # type: ignore[misc]
            timing.interleave([runner for runner, _ in runners], self._plan.rounds, slow=SLOW, collect=False)
        for runner, row in runners:
            self._enter(runner, row)
        fastest = min(
            (row.seconds for row in self.rows if row.kind == "torch" and row.status == "ok"), default=math.nan
        )
        for row in self.rows:
            row.of_copy, row.of_torch = row.gbps / copy.gbps, fastest / row.seconds
        if torch.module is not None:
            torch.module.cuda.empty_cache()  # what it keeps is missing for the next map
        return self.rows

    def _enter(self, runner: Runner, row: GpuRow) -> None:
        if runner.failure:
            row.status, row.reason = _failure(runner.failure)
            return
        row.rounds, row.seconds = len(runner.seconds), runner.median
        row.low, row.high = timing.quartiles(runner.seconds)
        row.gbps = self._array.nbytes * (2 if row.kind == "copy" else 1) / row.seconds / 1e9


def races(
    machine: Machine, algorithms: Sequence[Algorithm], torch: Torch, wanted: GpuPlan
) -> Iterator[tuple[str, list[GpuRow]]]:
    """Every race of a plan: its label and its rows.

    A map that the device or the computer has no memory for gives rows that say so.
    """
    for shape, storage in itertools.product(wanted.shapes, wanted.storages):
        with ExitStack() as stack:
            resident: Resident | str
            try:
                array = values(shape, storage, wanted.seed)
                resident = stack.enter_context(machine.place(array))
            except DeviceError as problem:
                resident = str(problem)
            except MemoryError:
                resident = "out of memory: the computer cannot hold the feature map"
                array = np.broadcast_to(np.zeros((), FORMATS[storage].dtype), tuple(shape))
            for layout, norm in itertools.product(wanted.layouts, wanted.norms):
                race = _Race(machine, torch, wanted, array, layout, norm, storage)
                yield f"{'x'.join(map(str, shape))} {storage} {layout} {norm}", race.run(resident, algorithms)
