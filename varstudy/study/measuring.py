"""One feature map in one storage format, measured with every algorithm: the records of the results table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels import Algorithm, views
from varkernels.cuda.errors import DeviceError
from varkernels.dispatch import accumulate, moments
from varkernels.formats import FLOAT32, FLOAT64, FORMATS, Format
from varkernels.formulas import Rows
from varkernels.row_moments import Moments
from varkernels.views import rows_of

from . import device_algorithms
from .aggregates import Answered, summary
from .device_algorithms import OnDevice
from .error_bounds import bounds, describe
from .featuremaps import Case
from .ground_truth import Truth, truth
from .score import Exact

__all__ = ["ACCUMULATORS", "Reduction", "carrier_of", "measure", "moments_of", "reduction"]

Floats = NDArray[np.float64]

# Which formats the study accumulates each storage format in.
ACCUMULATORS: dict[str, tuple[str, ...]] = {
    "float16": ("float16", "float32"),
    "bfloat16": ("bfloat16", "float32"),
    "float32": ("float32", "float64"),
    "float64": ("float64",),
}
# Values of a row whose mean is the centre given to the formula "shifted".
SAMPLE = 64


@dataclass(frozen=True, eq=False)
class Reduction:
    """A view of an array, its exact moments, and all that scoring needs of its rows.

    Attributes
    ----------
    view : array (segments, rows, length), or with blocks in front, in the storage format.
    carriers : the same values by accumulator: float64 for float64, float32 for the narrower ones.
    truth, mean, variance : the exact moments; the variances by correction.
    rows : what the bounds need. low, high, centre : float64 arrays (rows,).
    """

    view: NDArray[Any]
    carriers: dict[str, NDArray[Any]]
    truth: Truth
    mean: Exact
    variance: dict[float, Exact]
    rows: Rows
    low: Floats
    high: Floats
    centre: Floats


def reduction(
    array: NDArray[Any],
    norm: str,
    *,
    layout: str,
    groups: int | None,
    corrections: Sequence[float],
    accumulators: Sequence[str],
) -> Reduction:
    """The rows of an array under a norm, with their truth. Arguments as for `varkernels.views.view`."""

    def rows(x: NDArray[Any]) -> NDArray[Any]:
        return views.view(x, norm, layout=layout, groups=groups if norm == "group" else None)

    view = rows(array)
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
        wide = view if array.dtype.itemsize >= 4 and array.dtype.isnative else rows(array.astype(np.float32))
        carriers = {name: rows(_float64(array)) if name == "float64" else wide for name in accumulators}
    exact = truth(view)
    four = wide if wide.ndim == 4 else wide[np.newaxis]
    with np.errstate(all="ignore"):
        low, high = (
            edge(axis=(1, 3), initial=start).reshape(-1).astype(np.float64)
            if four.size
            else np.full(len(exact), np.nan)
            for edge, start in ((four.min, np.inf), (four.max, -np.inf))
        )
    centre = sample_mean(four)
    return Reduction(
        view,
        carriers,
        exact,
        Exact.mean(exact),
        {correction: Exact.variance(exact, correction) for correction in corrections},
        describe(exact, wide, centre),
        low,
        high,
        centre,
    )


def _float64(array: NDArray[Any]) -> NDArray[Any]:
    return array if array.dtype == np.float64 and array.dtype.isnative else array.astype(np.float64)


def carrier_of(accumulator: Format) -> Format:
    """The format that values reach an accumulator's kernels in: widening is exact, so that one compiled kernel
    serves several storage formats."""
    return FLOAT64 if accumulator is FLOAT64 else FLOAT32


def sample_mean(view: NDArray[Any]) -> Floats:
    """The mean of up to SAMPLE evenly spread values of each row of a four-dimensional view: a centre for "shifted".

    Added up one after the other, so that the bits depend on nothing but the values.
    """
    blocks, segments, rows, length = view.shape
    n = segments * length
    if not n:
        return np.full(blocks * rows, np.nan)
    at = np.unique(np.linspace(0, n - 1, min(n, SAMPLE)).astype(np.int64))
    with np.errstate(all="ignore"):
        sample = view[:, at // length, :, at % length].astype(np.float64)  # (positions, blocks, rows)
        return np.asarray(np.cumsum(sample, axis=0)[-1].reshape(-1) / len(at))


def moments_of(reduced: Reduction, algorithm: Algorithm | OnDevice, fmt: Format) -> tuple[Floats, dict[float, Floats]]:
    """Means and variances (by correction) of the rows, by one algorithm and accumulator, widened to float64."""
    if isinstance(algorithm, OnDevice):
        return _widened(algorithm.moments(reduced.view, fmt), reduced)
    centre = reduced.centre if algorithm.needs_centre else None
    if algorithm.parts is None:
        found = moments(reduced.view, algorithm, fmt, centre=centre)
    else:
        found = accumulate(rows_of(reduced.carriers[fmt.name])[0], carrier_of(fmt), algorithm, fmt, centre)
    return _widened(found, reduced)


def _widened(found: Moments, reduced: Reduction) -> tuple[Floats, dict[float, Floats]]:
    with np.errstate(all="ignore"):
        mean = found.mean.astype(np.float64)
        return mean, {c: found.variance(c).astype(np.float64) for c in reduced.variance}


def accumulators_of(algorithm: Algorithm | OnDevice, storage: str) -> tuple[str, ...]:
    """Which formats the study lets an algorithm accumulate a storage format in: those of `ACCUMULATORS` that it has,
    or float64 if it has none of them."""
    if isinstance(algorithm, OnDevice):
        return (device_algorithms.accumulator_of(storage).name,)
    own = tuple(name for name in ACCUMULATORS[storage] if name in algorithm.accumulators)
    return own or tuple(name for name in ("float64",) if name in algorithm.accumulators)


def measure(
    case: Case, storage: str, seed: int, algorithms: Sequence[Algorithm | OnDevice], problems: list[str] | None = None
) -> Iterator[dict[str, Any]]:
    """The table's records of a case in one storage format, in the order norm, accumulator, algorithm, correction.

    What a device cannot do is left out, and why joins the problems; without a list for them it is raised.
    """
    array = case.make(storage, seed)
    decimals = case.decimals()
    for norm in case.norms:
        reduced = reduction(
            array,
            norm,
            layout=case.layout,
            groups=case.groups,
            corrections=case.corrections,
            accumulators=ACCUMULATORS[storage],
        )
        common = _common(case, storage, norm, reduced)
        by_correction = {c: _by_correction(case, reduced, c, decimals) for c in case.corrections}
        answered: dict[float, Answered] = {c: {} for c in case.corrections}
        for accumulator in FORMATS:
            fmt = FORMATS[accumulator]
            for algorithm in algorithms:
                if accumulator not in accumulators_of(algorithm, storage):
                    continue
                try:
                    mean, variances = moments_of(reduced, algorithm, fmt)
                except DeviceError as problem:
                    if problems is None:
                        raise
                    problems.append(f"{algorithm.name} on {case.name}, {norm}, {storage}: {problem}")
                    continue
                if isinstance(algorithm, OnDevice):
                    bound = algorithm.bounds(FORMATS[storage], fmt, reduced.rows)
                    where = {"device": algorithm.device, "contraction": algorithm.contraction}
                else:
                    bound = bounds(algorithm, fmt, reduced.rows)
                    where = {"device": "cpu", "contraction": "off"}
                for correction, variance in variances.items():
                    yield {
                        **common,
                        **by_correction[correction],
                        "accumulator": accumulator,
                        "algorithm": algorithm.name,
                        "formula": algorithm.formula,
                        "order": algorithm.order,
                        **where,
                        **summary(
                            mean=mean,
                            variance=variance,
                            exact_mean=reduced.mean,
                            exact=reduced.variance[correction],
                            storage=FORMATS[storage],
                            accumulator=fmt,
                            correction=correction,
                            low=reduced.low,
                            high=reduced.high,
                            rows=reduced.rows,
                            bound=bound,
                            answered=answered[correction],
                        ),
                    }


def _common(case: Case, storage: str, norm: str, reduced: Reduction) -> dict[str, Any]:
    exact = reduced.truth
    kappa = np.array([float(k) for k in exact.kappa])[exact.finite]
    return {
        "case": case.name,
        "group": case.group,
        "family": case.family,
        "shape": "x".join(map(str, case.shape)),
        "layout": case.layout,
        "norm": norm,
        "groups": case.groups if norm == "group" and case.groups else 0,
        "storage": storage,
        "rows": len(exact),
        "values": int(exact.count[0]) if len(exact) else 0,
        "kappa_requested": math.nan if case.kappa_requested is None else case.kappa_requested,
        "kappa_median": float(np.median(kappa)) if len(kappa) else math.nan,
        "kappa_worst": float(kappa.max()) if len(kappa) else math.nan,
        "population_variance": math.nan if case.population_variance is None else case.population_variance,
    }


def _by_correction(
    case: Case, reduced: Reduction, correction: float, decimals: tuple[Fraction, ...] | None
) -> dict[str, Any]:
    exact = reduced.variance[correction]
    sampling = storing = math.nan
    known = exact.rounded[exact.known]
    if case.population_variance is not None and len(known):
        off = known / case.population_variance - 1
        sampling = math.sqrt(math.fsum((off * off).tolist()) / len(off))
    if decimals is not None:
        n = len(decimals)
        mean = sum(decimals, Fraction(0)) / n
        wanted = sum(((x - mean) ** 2 for x in decimals), Fraction(0)) / (n - Fraction(correction))
        stored = exact.values[0]
        storing = math.nan if stored is None else float(abs(stored / wanted - 1))
    return {
        "correction": correction,
        "rows_nonfinite": int(np.count_nonzero(exact.nonfinite)),
        "rows_undefined": int(np.count_nonzero(reduced.truth.count <= correction)),
        "sampling_error": sampling,
        "storage_error": storing,
    }
