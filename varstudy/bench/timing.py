"""Interleaved rounds: every contender once a round, medians over the rounds.

What slows the machine for a moment slows a round, not a contender; and each round starts with another contender, so
that none always follows the same one.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["LEAST", "SLOW", "Runner", "guarded", "interleave", "quartiles", "reason"]

# Seconds: a sample is as many calls as last this long; a contender whose call lasts longer than SLOW joins FEW rounds.
LEAST, SLOW, FEW = 1e-3, 1.0, 3


@dataclass
class Runner:
    """A contender with its array: what is called, how often, and how long it took.

    Attributes
    ----------
    call : what is timed. before : what it needs before each sample, not timed.
    loops : calls a sample. seconds, cpus : of each round, for one call; cpus is CPU time over wall time.
    failure : why it is out of the race, empty where it is not.
    """

    name: str
    call: Callable[[], Any]
    before: Callable[[], Any] | None = None
    loops: int = 1
    seconds: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    failure: str = ""

    def sample(self) -> tuple[float, float]:
        """Wall and CPU seconds of one call."""
        if self.before is not None:
            self.before()
        call, loops = self.call, self.loops
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(loops):
            call()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return wall / loops, cpu / max(wall, 1e-9)

    def calibrate(self) -> None:
        """Warm up, and find how many calls a sample needs."""
        self.loops = 1
        self.sample()
        while self.loops < 2**20:
            seconds, _ = self.sample()
            if seconds * self.loops >= LEAST:
                break
            self.loops = max(self.loops + 1, min(10 * self.loops, int(1.2 * LEAST / max(seconds, 1e-9)) + 1))

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def reason(error: BaseException) -> str:
    """One line for what a contender failed with."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:160]}".rstrip(": ")


def guarded(runner: Runner, step: Callable[[], Any]) -> None:
    """A step of a contender; it fails alone. Some libraries panic with exceptions that are no Exception."""
    try:
        step()
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a contender's trouble is a result
        runner.failure = reason(error)


def interleave(runners: Sequence[Runner], rounds: int, *, slow: float | None = None, collect: bool = True) -> None:
    """Calibrate every contender, then time them all, round after round.

    Parameters
    ----------
    slow : contenders that take more seconds, SLOW by default, join FEW rounds.
    collect : whether garbage is collected after each round; if not, it is kept until the last.
    """
    few = SLOW if slow is None else slow
    for runner in runners:
        guarded(runner, runner.calibrate)
    again = gc.isenabled()
    gc.disable()
    try:
        for turn in range(rounds):
            start = turn % max(len(runners), 1)
            for runner in (*runners[start:], *runners[:start]):
                if runner.failure or (turn >= FEW and runner.median > few):
                    continue
                guarded(runner, lambda runner=runner: _timed(runner))  # type: ignore[misc]
            if collect:
                gc.collect()
    finally:
        if again:
            gc.enable()


def _timed(runner: Runner) -> None:
    seconds, cpus = runner.sample()
    runner.seconds.append(seconds)
    runner.cpus.append(cpus)


def quartiles(seconds: Sequence[float]) -> tuple[float, float]:
    """The lower and the upper quartile of at least one timing."""
    if len(seconds) < 2:
        return seconds[0], seconds[0]
    quarters = statistics.quantiles(seconds, n=4, method="inclusive")
    return quarters[0], quarters[2]
