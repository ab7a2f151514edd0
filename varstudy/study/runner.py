"""Run a study and resume it: the only place with the big loop.

Finished cells are kept in the output folder's `cells/`. A run that was ended at any moment continues where it was, and
ends with the same bytes as one that was not.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from varkernels import Algorithm, algorithms

from .._io import provenance
from .._io.atomic import prepare_folder, scratch_folder
from .._io.progress import Progress
from . import device_algorithms, results
from .cells import Cell, DamagedCell, load, plan
from .measuring import measure
from .pool import Crew, Task
from .tasks import WARMING, Companion, accompany, compute, silent, warm

__all__ = ["chosen", "run"]

# Below so many values times algorithms, starting processes costs more than it saves.
SMALL_WORK = 40_000_000


def chosen(level: str) -> dict[str, Algorithm]:
    """The algorithms of a level: all of them, but for ``quick``, which leaves out those that run in lanes, a third of
    what there is to compile."""
    return {
        name: algorithm
        for name, algorithm in algorithms().items()
        if level != "quick" or algorithm.parts is None or algorithm.parts[1].kernel != "lanes"
    }


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
    say: Callable[[str], None] = silent,
    crew: type[Crew] = Crew,
) -> results.Results:
    """Measure every algorithm on every feature map of a level, and write the table.

    Parameters
    ----------
    level : ``quick`` (few cases, and no algorithm that runs in lanes), ``default`` or ``full``.
    only : a case's name, a glob, or a part of names.
    seed : of all random values; 0 or more.
    out : the folder for results.json, results.csv, provenance.json and the finished cells.
    force : measure again what is there already.
    processes : how many measure at the same time; as many as there are cores, at most four, by default.
    progress : receives every finished cell.
    parquet : write results.parquet too; needs pyarrow.
    argv : the command line to note in the provenance.
    device : ``cpu``; or with it the CUDA kernels, by ``cuda`` (a GPU), ``ptx`` (their compiled code, executed on the
        CPU) or ``auto``: whichever of the two there is. What cannot be measured is left out, and the settings say why.
    companion : measured too, by one of the processes where there are several, else at the end.
    say : gets what the user should know, a line at a time: damaged cells, what the companion measures, and why it
        could not be measured.
    crew : the processes that measure.

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
    for each in (target, folder):
        prepare_folder(each)
    missing, damaged = [], []
    for cell in cells:
        try:
            loaded = load(folder, cell.key(seed), own)
        except DamagedCell:
            loaded = None
            damaged.append(cell.label)
        # What a device could not do is tried again.
        if force or loaded is None or loaded.problems:
            missing.append(cell)
    if damaged:
        more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        say(f"damaged in {folder}, so measured again: {damaged[0]}{more}")
    count = _workers(missing, own, processes)
    if companion is not None and count > 1:
        say(companion.summary())
    beside, problem = None, ""
    if progress is not None:
        progress.start(len(cells), len(cells) - len(missing))
    try:
        with scratch_folder(target) as scratch, interruptible() as asked:
            for label, answer in _measured(missing, seed, own, folder, count, companion, scratch.absolute(), crew):
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
        cases={cell.case.name: cell.case.info() for cell in cells},
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
    """Note Ctrl-C and raise it: raised within a callback of the compiler, it would be reported and forgotten."""
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
    crew: type[Crew],
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
    with crew(count) as workers:
        for _ in workers.run((warm, *share, tuple(names)) for share in WARMING):
            pass
        tasks: list[Task] = [(compute, cell, seed, tuple(names), folder, cell.key(seed)) for cell in queue]
        labels = [cell.label for cell in queue]
        if companion is not None:  # first, for it may take long
            tasks.insert(0, (accompany, companion, seed, scratch))
            labels.insert(0, "")
        for index, answer in workers.run(tasks):
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
        try:
            loaded = load(folder, cell.key(seed), own)
        except DamagedCell:
            loaded = None
        if loaded is None:
            raise RuntimeError(f"the finished cell {cell.label!r} vanished from {folder}: run again")
        yield from loaded.records
        problems += loaded.problems
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
