"""Whether the device's answers are the executed PTX's, bit for bit, and their errors within their rigorous bounds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels import Moments
from varkernels.cuda import Algorithm, DeviceError, moments, shape_of_sum
from varkernels.cuda.catalogue import accumulator_of
from varkernels.cuda.run import Device
from varkernels.formats import FORMATS, Format
from varkernels.formulas.bounding import evaluate

from ...study import featuremaps
from ...study.aggregates import summary
from ...study.featuremaps import Case
from ...study.measuring import Reduction, reduction

__all__ = ["MAPS", "QUICK", "Checks", "check", "parts"]

# Small feature maps, hostile and ordinary: all norms and layouts, rows of 1 to 16,384 values and more, odd lengths,
# rows shared by several blocks, NaN and infinities, overflow, underflow, constants.
QUICK = (
    "higham/three-values",
    "shape/one-value",
    "shape/odd",
    "overflow/squares",
    "nonfinite/nan-and-inf",
    "growth/offset/N=2^14",
    "growth/stagnation/N=2^14",
)
MAPS = (
    *QUICK,
    "norms/relu/NCHW",
    "norms/relu/NHWC",
    "underflow/subnormal-squares",
    "offset/kappa=1e+04",
    "merge/tail",
    "nist/NumAcc4",
    "constant/0.1",
)
CORRECTIONS = (0.0, 1.0)
FIRST = 8  # of what went wrong is named
BITS = {4: np.uint32, 8: np.uint64}


@dataclass
class Checks:
    """What was checked, and what was found.

    Attributes
    ----------
    algorithms, maps : what was run. runs : views reduced, by an algorithm in one build and pair of formats.
    not_applicable : runs that an algorithm is not for: rows too long to be held. failed : runs that ended in an error.
    compared : answers compared in every bit with the executed PTX's, a mean and an M2 a row; any NaN equals any other.
    not_compared : why there was none to compare with, empty where there was.
    mismatches : answers that differ.
    bounded : measurements with a finite bound; beyond : those whose error exceeds it. worst : largest error over its
        bound, NaN where none is bounded; worst_at : its place.
    first : what went wrong, the first few of each kind.
    """

    algorithms: list[str] = field(default_factory=list)
    maps: list[str] = field(default_factory=list)
    runs: int = 0
    not_applicable: int = 0
    failed: int = 0
    compared: int = 0
    not_compared: str = ""
    mismatches: int = 0
    bounded: int = 0
    beyond: int = 0
    worst: float = math.nan
    worst_at: str = ""
    first: dict[str, list[str]] = field(default_factory=lambda: {"mismatches": [], "beyond": [], "failed": []})

    @property
    def passed(self) -> bool:
        """Whether nothing went wrong; what could not be compared did not."""
        return not (self.mismatches or self.beyond or self.failed)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        found = asdict(self)
        return {**found, "worst": None if math.isnan(self.worst) else self.worst, "passed": self.passed}

    def name(self, kind: str, what: str) -> None:
        """Keep the first few of what went wrong."""
        if len(self.first[kind]) < FIRST:
            self.first[kind].append(what)


def parts(names: Sequence[str]) -> list[tuple[Case, str]]:
    """The feature maps of these names, each in every storage format that it is defined for."""
    return [(case, storage) for case in map(featuremaps.find, names) for storage in case.storages]


def check(
    machine: Device,
    executor: Device | str,
    algorithms: Sequence[Algorithm],
    maps: Sequence[tuple[Case, str]],
    seed: int,
    checks: Checks,
) -> Iterator[str]:
    """Check the algorithms on feature maps, in both builds; yields a label after each map.

    Parameters
    ----------
    machine : the device that is checked. executor : whose bits are right, or why there is none.
    maps : as `parts` gives them.
    checks : filled with what is found.
    """
    checks.algorithms = [each.name for each in algorithms]
    checks.maps = list(dict.fromkeys(case.name for case, _ in maps))
    checks.not_compared = executor if isinstance(executor, str) else ""
    for case, storage in maps:
        array = case.make(storage, seed)
        for norm in case.norms:
            reduced = reduction(
                array, norm, layout=case.layout, groups=case.groups, corrections=CORRECTIONS, accumulators=()
            )
            accumulator = accumulator_of(FORMATS[storage])
            for algorithm, contracted in itertools.product(algorithms, (True, False)):
                place = (
                    f"{algorithm.name} on {case.name} {norm}, {storage} in {accumulator.name}, "
                    f"contraction {'on' if contracted else 'off'}"
                )

                def run(device: Device) -> Moments:
                    return moments(reduced.view, algorithm.name, accumulator, contracted=contracted, device=device)  # noqa: B023

                found = _answers(checks, machine, executor, run, place, algorithm.order == "held")
                if found is not None:
                    _bounds(checks, reduced, algorithm, FORMATS[storage], accumulator, found, place)
        yield f"{case.name} {storage}"


def _answers(
    checks: Checks, machine: Device, executor: Device | str, run: Callable[[Device], Moments], place: str, held: bool
) -> Moments | None:
    """The device's answers, once they are compared with the executor's; None where there are none."""
    try:
        found = run(machine)
    except DeviceError as problem:
        checks.failed += 1
        checks.name("failed", f"{place}: {problem}")
        return None
    except ValueError:
        if not held:
            raise
        checks.not_applicable += 1
        return None
    checks.runs += 1
    if isinstance(executor, str):
        return found
    try:
        wanted = run(executor)
    except DeviceError as problem:
        checks.failed += 1
        checks.name("failed", f"{place}: in the executor, {problem}")
        return found
    for what in ("mean", "m2"):
        got, right = getattr(found, what), getattr(wanted, what)
        bad = np.flatnonzero(~_same(got, right))
        checks.compared += len(got)
        checks.mismatches += len(bad)
        if len(bad):
            r = int(bad[0])
            more = f", and {len(bad) - 1} rows more" if len(bad) > 1 else ""
            here, there = (float(each[r]).hex() for each in (got, right))
            checks.name("mismatches", f"{place}: {what} of row {r} is {here}, the executed PTX's {there}{more}")
    return found


def _same(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    """Which numbers have the same bits; the payload of a NaN is the hardware's own."""
    kind = BITS[a.dtype.itemsize]
    return np.asarray((a.view(kind) == b.view(kind)) | (np.isnan(a) & np.isnan(b)))


def _bounds(
    checks: Checks,
    reduced: Reduction,
    algorithm: Algorithm,
    storage: Format,
    accumulator: Format,
    found: Moments,
    place: str,
) -> None:
    sums = shape_of_sum(algorithm.name, reduced.rows.n, storage)
    bound = evaluate(algorithm.formula.bound, accumulator, reduced.rows, *sums)
    for correction, exact in reduced.variance.items():
        with np.errstate(all="ignore"):
            mean = found.mean.astype(np.float64)
            variance = found.variance(correction).astype(np.float64)
        scored = summary(
            mean=mean,
            variance=variance,
            exact_mean=reduced.mean,
            exact=exact,
            storage=storage,
            accumulator=accumulator,
            correction=correction,
            low=reduced.low,
            high=reduced.high,
            rows=reduced.rows,
            bound=bound,
        )
        used = scored["bound_used"]  # NaN where no bound is known, 0 where all are infinite
        if math.isnan(used) or not (math.isfinite(scored["var_bound"]) or math.isfinite(scored["mean_bound"])):
            continue
        checks.bounded += 1
        at = f"{place}, correction {correction:g}"
        if used > 1:
            checks.beyond += 1
            checks.name("beyond", f"{at}: an error is {used:.3g} times its bound")
        if not used <= checks.worst:
            checks.worst, checks.worst_at = used, at
