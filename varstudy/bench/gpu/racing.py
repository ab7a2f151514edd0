"""Feature maps on the device, and every contender on each of them in turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.cuda import Algorithm, DeviceError
from varkernels.cuda.inputs import checked
from varkernels.cuda.launch_plan import geometry_of, plan
from varkernels.formats import FLOAT32, FLOAT64, FORMATS, Format
from varkernels.views import view

from .. import timing
from ..norms import NORMS
from ..timing import Runner
from . import torch_peer
from .gpu_record import COPY, GpuRow
from .machine import Machine, Resident

__all__ = ["ACCUMULATOR", "LAYOUTS", "NORMS", "STORAGES", "Torch", "races", "values"]

LAYOUTS = ("NCHW", "NHWC")
STORAGES = ("float32", "float16", "bfloat16", "float64")
# What a kernel of the field accumulates in.
ACCUMULATOR: dict[str, Format] = {name: FLOAT64 if name == "float64" else FLOAT32 for name in STORAGES}
# Seconds: a contender that takes longer joins a few rounds only.
SLOW = 0.02
TILE = 1 << 20
MEAN = 1000


@dataclass(frozen=True)
class Torch:
    """PyTorch, or None and why it is not measured. calls : as `torch_peer.calls`."""

    module: Any
    note: str
    calls: Callable[..., Mapping[str, Callable[[], Any]]] = field(default=torch_peer.calls, repr=False)
    tensor: Callable[..., Any] = field(default=torch_peer.tensor, repr=False)


def values(shape: Sequence[int], storage: str, seed: int) -> NDArray[Any]:
    """A map of 1000 + N(0, 1) in a storage format: 2^20 values drawn, repeated until it is full."""
    size = math.prod(shape)
    rng = np.random.default_rng([seed, size])
    tile = (MEAN + rng.standard_normal(min(size, TILE))).astype(FORMATS[storage].dtype)
    return np.resize(tile, tuple(shape))


def _physical(shape: Sequence[int], layout: str) -> tuple[int, ...]:
    n, c, h, w = shape
    return (n, h, w, c) if layout == "NHWC" else (n, c, h, w)


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

    def __init__(self, machine: Machine, array: NDArray[Any], shape: Sequence[int], layout: str, norm: str) -> None:
        self._machine, self._array = machine, array
        self._common = (list(shape), layout, norm)
        self.rows: list[GpuRow] = []

    def _row(self, groups: int, storage: str, accumulator: str, kind: str, contender: str) -> GpuRow:
        shape, layout, norm = self._common
        row = GpuRow(shape, layout, norm, groups if norm == "group" else 0, storage, accumulator, kind, contender)
        self.rows.append(row)
        return row

    def run(
        self,
        resident: Resident | str,
        algorithms: Sequence[Algorithm],
        torch: Torch,
        storage: str,
        groups: int,
        rounds: int,
    ) -> list[GpuRow]:
        """Rows of all; `resident` is the map on the device, or why it is not there."""
        shape, layout, norm = self._common
        accumulator = ACCUMULATOR[storage]
        physical = _physical(shape, layout)
        seen = view(self._array.reshape(physical), norm, layout=layout, groups=groups if norm == "group" else None)
        rows4, stored, _ = checked(seen, accumulator)
        copy = self._row(groups, storage, "", "copy", COPY)
        ours = [(each, self._row(groups, storage, accumulator.name, "kernel", each.name)) for each in algorithms]
        if isinstance(resident, str):
            for row in self.rows:
                row.status, row.reason = _failure(resident)
            return self.rows
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
                enter(
                    row,
                    lambda each=each: stack.enter_context(  # type: ignore[misc]
                        resident.kernel(plan(geometry_of(rows4), each, stored, accumulator, True))
                    ),
                )
            if torch.module is not None:
                x = torch.tensor(torch.module, resident.shared(physical, storage), storage)
                for name, call in torch.calls(torch.module, x, norm, layout, groups).items():
                    enter(self._row(groups, storage, "", "torch", name), lambda call=call: call)  # type: ignore[misc]
            timing.interleave([runner for runner, _ in runners], rounds, slow=SLOW, collect=False)
        for runner, row in runners:
            self._enter(runner, row)
        self._ratios(copy)
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

    def _ratios(self, copy: GpuRow) -> None:
        fastest = min(
            (row.seconds for row in self.rows if row.kind == "torch" and row.status == "ok"), default=math.nan
        )
        for row in self.rows:
            row.of_copy = row.gbps / copy.gbps
            row.of_torch = fastest / row.seconds


def races(
    machine: Machine,
    algorithms: Sequence[Algorithm],
    torch: Torch,
    *,
    shapes: Sequence[Sequence[int]],
    storages: Sequence[str],
    layouts: Sequence[str],
    norms: Sequence[str],
    groups: int,
    rounds: int,
    seed: int,
) -> Iterator[tuple[str, list[GpuRow]]]:
    """Every race: its label and its rows.

    A map that the device or the computer has no memory for gives rows that say so.
    """
    for shape in shapes:
        for storage in storages:
            with ExitStack() as stack:
                resident: Resident | str
                try:
                    array = values(shape, storage, seed)
                    resident = stack.enter_context(machine.place(array))
                except DeviceError as problem:
                    resident = str(problem)
                except MemoryError:
                    resident = "out of memory: the computer cannot hold the feature map"
                    array = np.broadcast_to(np.zeros((), FORMATS[storage].dtype), tuple(shape))
                for layout in layouts:
                    for norm in norms:
                        race = _Race(machine, array, shape, layout, norm)
                        label = f"{'x'.join(map(str, shape))} {storage} {layout} {norm}"
                        yield label, race.run(resident, algorithms, torch, storage, groups, rounds)
