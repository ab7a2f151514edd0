"""What range and order do to the norm of weight normalisation: four ways to compute it, on five kinds of rows.

The rows have 1,024 normal values: ``normal`` as they are; ``one large`` with one value 10^3 times as large at the
start; ``small``, whose squares are subnormal numbers; ``tiny``, whose squares round to 0; ``large``, whose sum of
squares overflows. The scales follow from the accumulator's range, so that each kind exists in float16, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import FORMATS, Format, format_of
from varkernels.norms.vector_norms import ORDERS, ordered_norms
from varkernels.norms.weight import exact_norms

from .._io.record_file import Cells
from .element_score import score_elements

__all__ = ["INPUTS", "NormRow", "inputs", "norm_errors"]

INPUTS = ("normal", "one large", "small", "tiny", "large")
SEED = 20
ROWS, VALUES = 4, 1024


@dataclass
class NormRow(Cells):
    """One kind of rows in one order.

    Attributes
    ----------
    input, order : as in `INPUTS` and `varkernels.norms.vector_norms.ORDERS`. accumulator : a format.
    error : the largest error relative to the largest exact norm. bound : the largest worst-case relative error.
    not_finite, zero : norms that are NaN or infinite, and that are 0. status : of the rows' norms.
    """

    input: str
    accumulator: str
    order: str
    error: float
    bound: float
    not_finite: int
    zero: int
    status: str


def inputs(accumulator: str | Format = "float32") -> dict[str, NDArray[Any]]:
    """The rows by their kinds, in a format; the same ones each time."""
    fmt = format_of(accumulator)
    normal = np.random.default_rng([SEED, VALUES]).standard_normal((ROWS, VALUES))
    one = normal.copy()
    one[:, 0] = 1e3 if fmt.emax > 15 else 1e2
    scales = {
        "small": math.sqrt(float(fmt.smallest_normal)) / 16,
        "tiny": math.sqrt(float(fmt.smallest_subnormal)) / 16,
        "large": math.sqrt(float(fmt.largest)) / 8,
    }
    return {"normal": fmt.rounded(normal), "one large": fmt.rounded(one)} | {
        name: fmt.rounded(normal * scale) for name, scale in scales.items()
    }


def norm_errors(orders: Sequence[str] = ORDERS, accumulators: Sequence[str] = ("float32", "float16")) -> list[NormRow]:
    """The error of each order on each kind of rows.

    Examples
    --------
    >>> from varstudy.study.norm_orders import norm_errors
    >>> for row in norm_errors(accumulators=["float32"]):
    ...     print(row.input, "|", row.order, "|", row.status, f"{row.error:.0e}")
    normal | running | right 3e-07
    normal | pairwise | right 4e-08
    normal | scaled | right 1e-07
    normal | largest first | right 4e-08
    one large | running | inaccurate 6e-07
    one large | pairwise | right 7e-08
    one large | scaled | inaccurate 2e-06
    one large | largest first | right 7e-08
    small | running | right 3e-07
    small | pairwise | right 2e-07
    small | scaled | right 1e-07
    small | largest first | right 4e-08
    tiny | running | wrong 1e+00
    tiny | pairwise | wrong 1e+00
    tiny | scaled | right 9e-08
    tiny | largest first | right 4e-08
    large | running | wrong inf
    large | pairwise | wrong inf
    large | scaled | right 1e-07
    large | largest first | right 3e-08
    """
    found = []
    for name in accumulators:
        fmt = FORMATS[name]
        for kind, v in inputs(fmt).items():
            exact = exact_norms(v)
            for order in orders:
                one = ordered_norms(v, order=order, accumulator=fmt)
                score = score_elements(exact, one.values, fmt)
                error, bound = (float(f"{value:.2e}") for value in (score.error, one.bound.max()))
                zero = int(np.count_nonzero(one.values == 0))
                found.append(NormRow(kind, name, order, error, bound, score.not_finite, zero, score.status.value))
    return found
