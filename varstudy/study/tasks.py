"""What the processes of a study do: measure a cell, compile kernels ahead, measure other people's software."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from varkernels import algorithms, moments
from varkernels.cuda.errors import DeviceError
from varkernels.dispatch import compile_ahead
from varkernels.formats import FORMATS

from . import device_algorithms
from .cells import Cell, Measured, save
from .measuring import carrier_of, measure

__all__ = ["WARMING", "Beside", "OtherSoftware", "compute", "measure_beside", "uncollected", "warm"]

# Values of a row that CUDA kernels share among several blocks.
LONG = 20_000


class OtherSoftware(Protocol):
    """Software that a study measures next to its own cells, such as `survey.installed.InstalledSoftware`."""

    def announcement(self) -> str:
        """What is about to be measured, in one line."""

    def measure(self, folder: Path, say: Callable[[str], None], seed: int) -> None:
        """Measure it and write what was found into a folder."""


@dataclass(frozen=True)
class Beside:
    """A worker's task besides the cells.

    Attributes
    ----------
    software : what to measure; it can be pickled. out : the folder for what it finds.
    scratch : a folder for its temporary files, which a worker that is ended leaves behind.
    """

    software: OtherSoftware
    out: Path
    scratch: Path

    def problem(self) -> str:
        """Why it could not be measured; empty where it was."""
        path = self.scratch / "problem"
        return path.read_text("utf-8") if path.exists() else ""


def measure_beside(task: Beside, seed: int) -> None:
    """Measure other software, in a worker. What goes wrong is kept for `Beside.problem`: it costs the study no cell."""
    before = tempfile.tempdir
    tempfile.tempdir = str(task.scratch)
    try:
        task.software.measure(task.out, lambda text: None, seed)
    except Exception as error:
        (task.scratch / "problem").write_text(f"{type(error).__name__}: {error}", "utf-8")
    finally:
        tempfile.tempdir = before


@contextmanager
def uncollected() -> Iterator[None]:
    """Disable the cyclic garbage collector: a compiler and tables make millions of objects that stay, and looking
    through them again and again takes up to a tenth of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@uncollected()
def compute(cell: Cell, seed: int, names: Sequence[str], folder: Path, key: str) -> None:
    """Measure a cell and keep it under its key. In a worker or in this process.

    Raises
    ------
    RuntimeError
        The sources are not those that the key was made from: they were edited while the study ran.
    """
    if cell.key(seed) != key:
        raise RuntimeError(f"the sources changed while {cell.label!r} was waiting: run again")
    known = algorithms()
    chosen = [known[name] if name in known else device_algorithms.by_key(name) for name in names]
    problems: list[str] = []
    records = list(measure(cell.case, cell.storage, seed, chosen, problems))
    save(folder, key, names, Measured(records, problems))


@uncollected()
def warm(kernel: str, accumulators: Sequence[str], names: Sequence[str]) -> None:
    """Compile the kernels of one order's schedule in some accumulators, into the cache on disk; or ``sums``, those of
    the ground truth and of the algorithms that have a kernel of their own; or ``ptx``, the CUDA kernels for the CPU."""
    known = algorithms()
    if kernel == "ptx":
        for storage in accumulators:
            row = np.ones((1, 1, LONG), FORMATS[storage].dtype)
            for each in (device_algorithms.by_key(name) for name in names if name.startswith("ptx ")):
                # What a device cannot do, each cell that needs it says itself.
                with suppress(DeviceError):
                    each.moments(row, FORMATS[device_algorithms.ACCUMULATORS[storage][0]])
        return
    if kernel == "sums":
        for storage in accumulators:
            for name in ("exact", "fast"):
                moments(np.ones((1, 1, 1), FORMATS[storage].dtype), name)
        return
    mine = [n for n in names if n in known and (parts := known[n].parts) is not None and parts[1].kernel == kernel]
    for accumulator in accumulators:
        compile_ahead(mine, [FORMATS[accumulator]], [carrier_of(FORMATS[accumulator])])


# Shares of about the same size, for two processes.
WARMING = (
    ("sums", tuple(FORMATS)),
    ("lanes", tuple(FORMATS)),
    ("tree", tuple(FORMATS)),
    ("ptx", ("float16", "float32")),
    ("ptx", ("bfloat16", "float64")),
    ("running", ("float16", "bfloat16")),
    ("running", ("float32", "float64")),
)
