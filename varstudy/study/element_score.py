"""The judge of whole arrays: how far the outputs or the gradients of a layer are from the exact ones.

An element's error has the unit of what storing it costs at most: half the spacing of the storage format's numbers at
the exact value. A correctly rounded element errs by at most 1 unit. An element next to 0 has a tiny unit, though, and
few people need its last digit. So the array as a whole is judged by its largest error relative to its largest exact
value, by `score.status_of`. Range failures are counted apart from rounding: an exact value beyond the format's largest
number is out of range, and no answer of that format can be right; a NaN or an infinity for any other exact value is not
finite, and makes the array wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from varkernels.formats import Format
from varkernels.norms.answers import ExactArray

from .score import Status, status_of

__all__ = ["ElementScore", "score_elements", "units"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ElementScore:
    """What an array of answers is worth.

    Attributes
    ----------
    status : of the array. elements : with an exact value in range. out_of_range : with an exact value beyond it.
    not_finite : of the elements, those answered with NaN or an infinity.
    units_worst, units_median : errors in units of what storing costs; of finite answers.
    error : the largest error relative to the largest exact value; infinite where an answer is not finite.
    stored : the same for the exact values, each correctly rounded to the format: what storing costs.
    computed, exact : the answer with the largest error, or the first that is not finite, and its exact value.
    """

    status: Status
    elements: int
    out_of_range: int
    not_finite: int
    units_worst: float
    units_median: float
    error: float
    stored: float
    computed: float
    exact: float


def units(exact: Floats, fmt: Format) -> Floats:
    """Half the spacing of a format's numbers at each value, as `varkernels.rounding.ulp` defines it."""
    exponent = np.frexp(exact)[1] - 1
    found: Floats = np.ldexp(1.0, np.maximum(np.where(exact == 0, fmt.emin, exponent), fmt.emin) - fmt.precision)
    return found


def score_elements(exact: ExactArray, computed: ArrayLike, storage: Format) -> ElementScore:
    """Compare computed elements with exact ones.

    Parameters
    ----------
    exact : as `varstudy.norm_forward` and `norm_backward` give it, rounded to the storage format.
    computed : answers of the same shape, in any of the four formats. storage : the format that sets the unit.

    Raises
    ------
    ValueError
        The shapes differ, or the exact values were rounded to another format.
    """
    given = np.asarray(computed, np.float64)
    if given.shape != exact.high.shape:
        raise ValueError(f"the answers have the shape {given.shape}, the exact values {exact.high.shape}")
    if exact.format != storage:
        raise ValueError(f"the exact values were rounded to {exact.format}, the answers are stored in {storage}")
    near = exact.rounded.astype(np.float64)
    beyond = np.isinf(near)
    here = ~(beyond | np.isnan(near))
    counts = int(np.count_nonzero(here)), int(np.count_nonzero(beyond))
    if not counts[0]:
        status = Status.OUT_OF_RANGE if counts[1] else Status.NOT_FINITE
        return ElementScore(status, *counts, 0, *[math.nan] * 6)
    given, near, high, low = given[here], near[here], exact.high[here], exact.low[here]
    finite = np.isfinite(given)
    bad = int(np.count_nonzero(~finite))
    with np.errstate(all="ignore"):
        off = np.abs((given - high) - low)
        relative = off[finite] / units(high, storage)[finite]
        scale = float(np.abs(high).max())
        stored = float(np.abs((near - high) - low).max())
    worst = int(np.argmax(np.where(finite, off, np.inf)))
    error = _relative(math.inf if bad else float(off.max()), scale)
    unit = [float(relative.max()), float(np.median(relative))] if len(relative) else [math.nan, math.nan]
    shown = float(given[worst]), float(high[worst])
    return ElementScore(
        status_of(error, storage), *counts, bad, unit[0], unit[1], error, _relative(stored, scale), *shown
    )


def _relative(error: float, scale: float) -> float:
    if error == 0:
        return 0.0
    return error / scale if scale else math.inf
