"""Plan, run, resume: the only place with the big loop.

A cell is one case in one storage format. Finished cells are kept in the output folder's `cells/`, each under a key
of everything that decides it: the input, the seed, the sources and the versions. A run that was ended at any
moment goes on where it was, and ends with the same bytes as one that was not.
"""

from __future__ import annotations

import gc
import hashlib
import json
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import numpy as np

from varkernels import Algorithm, algorithms, moments
from varkernels.cuda.errors import DeviceError
from varkernels.dispatch import compile_ahead
from varkernels.formats import FORMATS
from varkernels.jit import source_hash

from .._io import provenance
from .._io.atomic import write_whole
from .._io.matching import matches
from . import device_algorithms, featuremaps, results
from .featuremaps import Case
from .measuring import ACCUMULATORS, carrier_of, case_info, measure
from .pool import Crew, Task

__all__ = ["Cell", "Progress", "plan", "run", "uncollected"]

# Below so many values times algorithms, starting processes costs more than it saves.
SMALL_WORK = 40_000_000
# Values of a row that CUDA kernels share among several blocks.
LONG = 20_000


class Progress(Protocol):
    """What a run tells of itself."""

    def start(self, total: int, done: int) -> None: ...
    def advance(self, label: str) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class Cell:
    """One case in one storage format."""

    case: Case
    storage: str

    @property
    def label(self) -> str:
        return f"{self.case.name} {self.storage}"

    @property
    def work(self) -> int:
        """Values that one algorithm reads."""
        return self.case.elements * len(self.case.norms) * len(ACCUMULATORS[self.storage]) + 2000

    def key(self, seed: int) -> str:
        """A hash of all that decides the cell's records."""
        parts = [sources_hash(), source_hash(), device_algorithms.code_hash(), self.case.name, self.storage, str(seed)]
        if self.case.group == "photo":
            parts += [_version("scikit-learn"), _version("pillow")]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


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
        return companion.measure(seed, _silent), ""
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"
    finally:
        tempfile.tempdir = before


def _silent(text: str) -> None:
    """Say nothing."""


@cache
def sources_hash() -> str:
    """A hash of every source file of this package that takes part in a measurement, and of mpmath's version."""
    digest = hashlib.sha256(f"mpmath=={_version('mpmath')}".encode())
    root = Path(__file__).parent
    names = (
        "aggregates",
        "device_algorithms",
        "error_bounds",
        "ground_truth",
        "measuring",
        "results",
        "row_facts",
        "score",
    )
    for path in sorted([*(root / f"{name}.py" for name in names), *(root / "featuremaps").glob("*.py")]):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def select(level: str, only: str | None) -> tuple[Case, ...]:
    """The cases of a level that a pattern names: exactly, as a glob, or by a part of the name.

    Where none of the level's does, those of the other levels are tried.

    Raises
    ------
    featuremaps.UnknownCase
        The pattern names no case.
    ValueError
        The level is unknown.
    """
    listed = featuremaps.cases(level)
    if only is None:
        return listed
    for candidates in (listed, featuremaps.cases("full")):
        chosen = tuple(case for case in candidates if case.name == only)
        chosen = chosen or tuple(case for case in candidates if matches(case.name, only))
        if chosen:
            return chosen
    featuremaps.find(only)
    raise featuremaps.UnknownCase(f"case {only!r} is unknown")


def plan(level: str = "default", only: str | None = None) -> tuple[Cell, ...]:
    """The cells of a study, in the order of the results. Arguments and errors as for `run`."""
    return tuple(Cell(case, storage) for case in select(level, only) for storage in case.storages)


def chosen(level: str) -> dict[str, Algorithm]:
    """The algorithms of a level: all of them, but for ``quick``, which leaves out those that run in lanes, a third of
    what there is to compile."""
    return {
        name: algorithm
        for name, algorithm in algorithms().items()
        if level != "quick" or algorithm.parts is None or algorithm.parts[1].kernel != "lanes"
    }


# Cells on disk --------------------------------------------------------------------------------------------------------


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key}.json"


def _load(folder: Path, key: str, wanted: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]] | None:
    """A finished cell's records, and what a device could not do; None where it is not there, is damaged, or lacks an
    algorithm."""
    try:
        content = json.loads(_path(folder, key).read_text("utf-8"))
        if content["key"] != key or content["algorithms"] != list(wanted):
            return None
        records, problems = content["records"], content["problems"]
        return (records, problems) if isinstance(records, list) and isinstance(problems, list) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _finished(loaded: tuple[list[dict[str, Any]], list[str]] | None) -> bool:
    """Whether nothing is left to do: what a device could not do is tried again."""
    return loaded is not None and not loaded[1]


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="varstudy-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the search for cycles of garbage: a compiler and tables make millions of objects that stay, and to look
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
    content = {"key": key, "algorithms": list(names), "records": records, "problems": problems}
    write_whole(_path(folder, key), json.dumps(content).encode())


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
_WARMING = (
    ("sums", tuple(FORMATS)),
    ("lanes", tuple(FORMATS)),
    ("tree", tuple(FORMATS)),
    ("ptx", ("float16", "float32")),
    ("ptx", ("bfloat16", "float64")),
    ("running", ("float16", "bfloat16")),
    ("running", ("float32", "float64")),
)


# The loop -------------------------------------------------------------------------------------------------------------


def run(
    level: str = "default",
    *,
    only: str | None = None,
    seed: int = 0,
    out: str | Path = "reports",
    force: bool = False,
    processes: int | None = None,
    progress: Progress | None = None,
    parquet: bool = False,
    argv: Sequence[str] | None = None,
    device: str = "cpu",
    companion: Companion | None = None,
    say: Callable[[str], None] = _silent,
) -> results.Results:
    """Measure every algorithm on every feature map of a level, and write the table.

    Parameters
    ----------
    level : ``quick`` (few cases, and no algorithm that runs in lanes), ``default`` or ``full``.
    only : a case's name, a glob, or a part of names.
    seed : of all random values; 0 or more.
    out : the folder for results.json, results.csv, provenance.json and the finished cells.
    force : measure again what is there already.
    processes : how many measure side by side; as many as there are cores, at most four, by default.
    progress : told of every finished cell.
    parquet : write results.parquet too; needs pyarrow.
    argv : the command line to note in the provenance.
    device : ``cpu``; or with it the CUDA kernels, by ``cuda`` (a GPU), ``ptx`` (their compiled code, executed on the
        CPU) or ``auto``: whichever of the two there is. What cannot be measured is left out, and the settings say why.
    companion : measured too, by one of the processes where there are several, else at the end.
    say : gets what the companion measures, and why it could not be measured.

    Raises
    ------
    ValueError
        An unknown level or device, a negative seed, or fewer than one process.
    featuremaps.UnknownCase
        The pattern names no case.
    OSError
        The folder cannot be written; found out before anything is measured.
    KeyboardInterrupt
        It was interrupted: the finished cells are kept, and the same call goes on from there.
    """
    if seed < 0:
        raise ValueError(f"seed={seed} is negative: use 0 or a positive integer")
    if processes is not None and processes < 1:
        raise ValueError(f"processes={processes}: use 1 or more")
    cells = plan(level, only)
    known = chosen(level)
    own = [name for name, algorithm in known.items() if algorithm.builtin]
    foreign = [algorithm for algorithm in known.values() if not algorithm.builtin]
    used = device_algorithms.devices(device)
    usable = [name for name, problem in used.items() if name != "cpu" and not problem]
    kernels = [each for name in usable for each in device_algorithms.chosen(level, name)]
    own += [kernel.key for kernel in kernels]
    target = Path(out)
    folder = target / "cells"
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(target / ".writable", b"")
    (target / ".writable").unlink()
    missing = [cell for cell in cells if force or not _finished(_load(folder, cell.key(seed), own))]
    count = _workers(missing, own, processes)
    if companion is not None and count > 1:
        say(companion.summary())
    beside, problem = None, ""
    if progress is not None:
        progress.start(len(cells), len(cells) - len(missing))
    try:
        with _scratch() as scratch, interruptible() as asked:
            for label, answer in _measured(missing, seed, own, folder, count, companion, scratch):
                if not label:
                    beside, problem = answer
                elif progress is not None:
                    progress.advance(label)
                if asked.is_set():
                    raise KeyboardInterrupt
    finally:
        if progress is not None:
            progress.stop()
    problems: list[str] = []
    records = list(_collected(cells, seed, own, foreign, folder, problems))
    if problems:
        (device,) = usable
        used[device] = f"{len(problems)} times, as for {problems[0]}"
    found = results.from_records(
        records,
        cases={cell.case.name: case_info(cell.case) for cell in cells},
        algorithms={name: _algorithm_info(algorithm) for name, algorithm in known.items()}
        | {kernel.name: _algorithm_info(kernel) for kernel in kernels},
        settings={"level": level, "only": only, "seed": seed, "devices": used},
        provenance=provenance.collect(argv),
    )
    results.write(found, target, parquet=parquet)
    if companion is not None:
        if problem:
            say(f"the frameworks and libraries that are here could not be measured: {problem}")
        else:
            companion.write(beside if count > 1 else companion.measure(seed, say), target)
    return found


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Notes Ctrl-C beside raising it: raised within a callback of the compiler, it would be reported and forgotten."""
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield asked
        return

    def handler(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, handler)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _workers(cells: Sequence[Cell], names: Sequence[str], processes: int | None) -> int:
    """How many processes are to measure cells: this one alone where it is fewer than two."""
    count = min(processes or min(provenance.usable_cores(), 4), len(cells))
    small = processes is None and sum(cell.work for cell in cells) * len(names) < SMALL_WORK
    return 0 if small else count


def _measured(
    cells: Sequence[Cell],
    seed: int,
    names: Sequence[str],
    folder: Path,
    count: int,
    companion: Companion | None,
    scratch: Path,
) -> Iterator[tuple[str, Any]]:
    """Measure the cells, the largest first; (label, None) of each when it is done.

    With several workers one of them measures the companion, whose answer comes with an empty label.
    """
    queue = sorted(cells, key=lambda cell: -cell.work)
    if count < 2:
        for cell in queue:
            compute(cell, seed, names, folder, cell.key(seed))
            yield cell.label, None
        return
    with Crew(count) as crew:
        for _ in crew.run((warm, *share, tuple(names)) for share in _WARMING):
            pass
        tasks: list[Task] = [(compute, cell, seed, tuple(names), folder, cell.key(seed)) for cell in queue]
        labels = [cell.label for cell in queue]
        if companion is not None:  # first, for it may take long
            tasks.insert(0, (accompany, companion, seed, scratch))
            labels.insert(0, "")
        for index, answer in crew.run(tasks):
            yield labels[index], answer


def _collected(
    cells: Sequence[Cell],
    seed: int,
    own: Sequence[str],
    foreign: Sequence[Algorithm],
    folder: Path,
    problems: list[str],
) -> Iterator[Mapping[str, Any]]:
    for cell in cells:
        loaded = _load(folder, cell.key(seed), own)
        if loaded is None:
            raise RuntimeError(f"the finished cell {cell.label!r} vanished from {folder}: run again")
        yield from loaded[0]
        problems += loaded[1]
        if foreign:  # code that no key knows: measured every time
            yield from measure(cell.case, cell.storage, seed, foreign)


def _algorithm_info(algorithm: Algorithm | device_algorithms.OnDevice) -> dict[str, str]:
    return {
        "title": algorithm.title,
        "summary": algorithm.summary,
        "source": algorithm.source,
        "formula": algorithm.formula,
        "order": algorithm.order,
    }
