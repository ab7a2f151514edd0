"""What the processes of a study do: measure a cell, compile kernels ahead, measure a companion."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from varkernels import algorithms, moments
from varkernels.cuda.errors import DeviceError
from varkernels.dispatch import compile_ahead
from varkernels.formats import FORMATS

from . import device_algorithms
from .cells import Cell, Measured, save
from .measuring import carrier_of, measure

__all__ = ["WARMING", "Companion", "accompany", "compute", "silent", "uncollected", "warm"]

# Values of a row that CUDA kernels share among several blocks.
LONG = 20_000


class Companion(Protocol):
    """Something else to measure next to the cells, such as the libraries of this machine; a worker can unpickle it."""

    def summary(self) -> str:
        """What it is about to measure, for people."""

    def measure(self, seed: int, say: Callable[[str], None]) -> Any:
        """Measure it; the answer pickles. `say` gets its progress."""

    def write(self, found: Any, folder: Path) -> None:
        """Write what `measure` found next to the results."""


def accompany(companion: Companion, seed: int, scratch: Path) -> tuple[Any, str]:
    """Measure a companion in a worker; its answer, or None and the reason: it costs the study none of its cells.

    Parameters
    ----------
    scratch : a folder for its temporary files, which a worker that is ended leaves behind.
    """
    before = tempfile.tempdir
    tempfile.tempdir = str(scratch)
    try:
        return companion.measure(seed, silent), ""
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"
    finally:
        tempfile.tempdir = before


def silent(text: str) -> None:
    """Say nothing."""


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
    the ground truth and of the algorithm ``exact``; or ``ptx``, the CUDA kernels for the CPU."""
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
            moments(np.ones((1, 1, 1), FORMATS[storage].dtype), "exact")
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
