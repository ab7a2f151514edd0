"""What the processes of a study do: measure a cell, compile kernels ahead, measure a companion, draw a page."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from varkernels import algorithms, moments
from varkernels.cuda.errors import DeviceError
from varkernels.dispatch import compile_ahead
from varkernels.formats import FORMATS

from . import device_algorithms, results
from .cells import Cell, DamagedCell, Measured, load, save
from .course import Planned
from .measuring import ACCUMULATORS, carrier_of, measure
from .pool import Perform

__all__ = [
    "LONG",
    "Companion",
    "Drawn",
    "Page",
    "Share",
    "Sketch",
    "accompany",
    "compute",
    "described",
    "draw",
    "load_page",
    "shares",
    "silent",
    "uncollected",
    "warm",
]

# Values of a row that CUDA kernels share among several blocks.
LONG = 20_000

# A part of what there is to compile: which kernels, in which format.
Share = tuple[str, str]
# What a share is called where it is no order.
SHOWN = {"sums": "exact sums", "ptx": "CUDA kernels"}


@dataclass(frozen=True)
class Sketch:
    """What the page of a study that goes on is drawn from.

    Attributes
    ----------
    finished : the cells that are measured, in the table's order.
    cells : how many there will be.
    algorithms, settings : as `Results` has them.
    """

    finished: Sequence[Planned]
    cells: int
    algorithms: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Drawn:
    """A page was drawn: the seconds that it took, and why there is none, if so."""

    seconds: float
    problem: str


class Page(Protocol):
    """What draws a page of results; a worker can unpickle it."""

    def load(self) -> object:
        """Import what drawing needs."""

    def __call__(self, found: results.Results, folder: Path, perform: Perform | None, /) -> object:
        """Draw it into a folder, with the processes that are given, or in this one."""


def load_page(page: Page) -> None:
    """Import what a page needs; where that fails, drawing it says so."""
    with suppress(Exception):
        page.load()


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
def warm(kernel: str, accumulators: Sequence[str], names: Sequence[str], values: int = LONG) -> None:
    """Compile the kernels of one order's schedule in some accumulators, into the cache on disk; or ``sums``, those of
    the ground truth and of the algorithm ``exact``; or ``ptx``, the CUDA kernels for the CPU.

    Parameters
    ----------
    values : of the row that the CUDA kernels are launched on, which decides which of them run.
    """
    known = algorithms()
    if kernel == "ptx":
        for storage in accumulators:
            row = np.ones((1, 1, values), FORMATS[storage].dtype)
            for each in (device_algorithms.by_key(name) for name in names if name.startswith("ptx ")):
                # What a device cannot do, each cell that needs it says itself.
                with suppress(DeviceError):
                    each.moments(row, device_algorithms.accumulator_of(storage))
        return
    if kernel == "sums":
        for storage in accumulators:
            moments(np.ones((1, 1, 1), FORMATS[storage].dtype), "exact")
        return
    mine = [n for n in names if n in known and (parts := known[n].parts) is not None and parts[1].kernel == kernel]
    for accumulator in accumulators:
        compile_ahead(mine, [FORMATS[accumulator]], [carrier_of(FORMATS[accumulator])])


def shares(cells: Sequence[Cell], names: Sequence[str]) -> tuple[Share, ...]:
    """What `warm` compiles for some cells and algorithms, in parts of about the same size."""
    known = algorithms()
    storages = [name for name in FORMATS if any(cell.storage == name for cell in cells)]
    accumulators = [name for name in FORMATS if any(name in ACCUMULATORS[storage] for storage in storages)]
    used = {parts[1].kernel for name in names if name in known and (parts := known[name].parts) is not None}
    # What takes longest comes first, so that all processes end at about the same time.
    found: list[Share] = [("ptx", name) for name in storages] if any(name.startswith("ptx ") for name in names) else []
    found += [(kernel, name) for kernel in ("lanes", "tree") if kernel in used for name in accumulators]
    found += [("sums", name) for name in storages]
    found += [("running", name) for name in accumulators if "running" in used]
    return tuple(found)


def described(share: Share) -> str:
    """A share for people."""
    kernel, name = share
    return f"{SHOWN.get(kernel, kernel)}, {name}"


@uncollected()
def draw(page: Page, sketch: Sketch, folder: Path, target: Path) -> Drawn:
    """Draw the page of a study that goes on; where that fails, the study goes on without it.

    Parameters
    ----------
    folder : where the cells are. target : the folder of the page.

    Raises
    ------
    OSError
        The page cannot be written.
    """
    began = time.monotonic()
    problem = ""
    try:
        page(_so_far(sketch, folder), target, None)
    except OSError:
        raise
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    return Drawn(time.monotonic() - began, problem)


def _so_far(sketch: Sketch, folder: Path) -> results.Results:
    records: list[dict[str, Any]] = []
    for each in sketch.finished:
        with suppress(DamagedCell):
            found = load(folder, each.key, each.names)
            records += [] if found is None else found.records
    return results.from_records(
        records,
        cases={each.cell.case.name: each.cell.case.info() for each in sketch.finished},
        algorithms=sketch.algorithms,
        settings={**sketch.settings, "measured": [len(sketch.finished), sketch.cells]},
    )
