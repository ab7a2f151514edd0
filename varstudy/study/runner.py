"""Run a study and resume it.

Finished cells are kept in the output folder's `cells/`. A run that was ended at any moment continues where it was, and
ends with the same bytes as one that was not.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from varkernels import Algorithm, algorithms

from .._io import provenance
from .._io.atomic import prepare_folder, scratch_folder
from .._io.progress import Progress, Silent
from . import course, device_algorithms, results
from .cells import DamagedCell, load, plan
from .course import Planned
from .measuring import measure
from .phases import Phases
from .pool import Crew, Perform, here
from .tasks import Companion, Page, Sketch, load_page, silent

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
    page: Page | None = None,
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
    progress : receives every step: of compiling, of measuring, and of what follows.
    parquet : write results.parquet too; needs pyarrow.
    argv : the command line to note in the provenance.
    device : ``cpu``; or with it the CUDA kernels, by ``cuda`` (a GPU), ``ptx`` (their compiled code, executed on the
        CPU; on maps of more than 2^20 values by the level ``full`` only) or ``auto``: whichever of the two there is.
        What cannot be measured is left out, and the settings say why.
    companion : measured too, by one of the processes where there are several, else at the end.
    page : draws results into the folder, at the end and now and then before, called as page(results, folder, perform).
        A part has ``settings["measured"]``: how many cells are measured, and how many there will be. `perform` has the
        processes do tasks, (function, arguments...), and gives each index and answer; or it is None. The processes
        import `page` by its name.
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
    own = tuple(name for name, algorithm in known.items() if algorithm.builtin)
    foreign = [algorithm for algorithm in known.values() if not algorithm.builtin]
    used = device_algorithms.devices(device)
    usable = [name for name, problem in used.items() if name != "cpu" and not problem]

    def kernels(values: int) -> list[device_algorithms.OnDevice]:
        return [each for name in usable for each in device_algorithms.chosen(level, name, values)]

    planned = [
        Planned(cell, (*own, *(each.key for each in kernels(cell.case.elements))), cell.key(seed)) for cell in cells
    ]
    infos = {name: _algorithm_info(algorithm) for name, algorithm in known.items()}
    infos |= {kernel.name: _algorithm_info(kernel) for kernel in kernels(0)}
    settings = {"level": level, "only": only, "seed": seed, "devices": used}
    target = Path(out)
    folder = target / "cells"
    for each in (target, folder):
        prepare_folder(each)
    missing = _missing(planned, folder, force, say)
    count = _workers(missing, processes)
    several = companion is not None and count > 1
    if companion is not None and several:
        say(companion.summary())
    shown = progress or Silent()
    drawing = course.PAGE if page is not None else 0.0
    try:
        with (
            scratch_folder(target) as scratch,
            interruptible() as asked,
            ThreadPoolExecutor(1) as aside,
            _processes(crew, count) as perform,
        ):
            if page is not None and count > 1:
                aside.submit(load_page, page)  # while this process waits for the others
            beside, problem = Phases(
                planned=planned,
                missing=missing,
                processes=count,
                seed=seed,
                folder=folder,
                target=target,
                page=page,
                sketch=Sketch((), len(planned), infos, settings),
                companion=companion if several else None,
                scratch=scratch.absolute(),
                progress=shown,
                later=course.collecting(len(planned)) + drawing,
                asked=asked,
                say=say,
            ).run(perform)
            shown.start(1, 0, "writing", course.collecting(len(planned)), drawing)
            problems: list[str] = []
            records = list(_collected(planned, seed, foreign, folder, problems))
            if problems:
                (device,) = usable
                used[device] = f"{len(problems)} times, as for {problems[0]}"
            found = results.from_records(
                records,
                cases={cell.case.name: cell.case.info() for cell in cells},
                algorithms=infos,
                settings=settings,
                provenance=provenance.collect(argv),
            )
            written = aside.submit(results.write, found, target, parquet=parquet)
            if companion is not None and problem:
                say(f"the frameworks and libraries that are here could not be measured: {problem}")
            elif companion is not None:
                if not several:
                    written.result()
                    shown.start(1, 0, "scoring libraries", course.COMPANION, drawing)
                    beside = companion.measure(seed, say)
                companion.write(beside, target)
            if page is not None:
                shown.start(1, 0, "drawing", drawing)
                page(found, target, perform if count > 1 else None)
            written.result()
    finally:
        shown.stop()
    return found


@contextmanager
def _processes(crew: type[Crew], count: int) -> Iterator[Perform]:
    """What performs tasks: so many processes, or this one."""
    if count == 1:
        yield here
        return
    with crew(count) as workers:
        yield workers.run


def _missing(planned: Sequence[Planned], folder: Path, force: bool, say: Callable[[str], None]) -> list[Planned]:
    """The cells that are to be measured."""
    missing, damaged = [], []
    for each in planned:
        try:
            loaded = load(folder, each.key, each.names)
        except DamagedCell:
            loaded = None
            damaged.append(each.cell.label)
        # What a device could not do is tried again.
        if force or loaded is None or loaded.problems:
            missing.append(each)
    if damaged:
        more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        say(f"damaged in {folder}, so measured again: {damaged[0]}{more}")
    return missing


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


def _workers(missing: Sequence[Planned], processes: int | None) -> int:
    """How many processes are to measure cells; where it is one, that is this one."""
    count = min(processes or min(provenance.usable_cores(), 4), len(missing))
    small = processes is None and sum(each.cell.work * len(each.names) for each in missing) < SMALL_WORK
    return 1 if small else max(1, count)


def _collected(
    planned: Sequence[Planned], seed: int, foreign: Sequence[Algorithm], folder: Path, problems: list[str]
) -> Iterator[Mapping[str, Any]]:
    for each in planned:
        cell = each.cell
        try:
            loaded = load(folder, each.key, each.names)
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
