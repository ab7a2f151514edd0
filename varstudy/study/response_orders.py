"""What the order of a window's sum does to local response normalisation: direct and sliding sums on three inputs.

The inputs are (rows, channels) in float32: ``normal`` numbers; ``one large channel``, where the first channel is 10^4
times as large as the others; ``pixels``, integers from 0 to 255. The parameters are PyTorch's defaults (alpha 1e-4, k
1), and alpha 1 with k = 0, where only the window's sum counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import FLOAT32
from varkernels.norms.response import response_norm_forward
from varkernels.norms.response_sums import ORDERS, ordered_response

from .._io.record_file import Cells
from .element_score import score_elements

__all__ = ["INPUTS", "PARAMETERS", "ResponseRow", "inputs", "response_errors"]

INPUTS = ("normal", "one large channel", "pixels")
PARAMETERS: dict[str, dict[str, float]] = {"defaults": {"alpha": 1e-4, "k": 1.0}, "sum alone": {"alpha": 1.0, "k": 0.0}}
SEED = 20
SIZE, ROWS, CHANNELS = 5, 16, 64


@dataclass
class ResponseRow(Cells):
    """One input in one order.

    Attributes
    ----------
    input, parameters, order : as in `INPUTS`, `PARAMETERS` and `varkernels.norms.response_sums.ORDERS`.
    error : the largest error relative to the largest exact output. units_worst : the largest error in half spacings of
        float32 at the exact value. not_finite : outputs that are NaN or infinite.
    bounded : the share of outputs for which a finite worst-case error is known. status : of the array.
    """

    input: str
    parameters: str
    order: str
    error: float
    units_worst: float
    not_finite: int
    bounded: float
    status: str


def inputs() -> dict[str, NDArray[Any]]:
    """The inputs by their names; the same ones each time."""
    rng = np.random.default_rng([SEED, CHANNELS])
    shape = (ROWS, CHANNELS)
    normal = rng.standard_normal(shape)
    large = np.where(np.arange(CHANNELS) == 0, 1e4, 1.0) * rng.standard_normal(shape)
    found = (normal, large, rng.integers(0, 256, shape))
    return {name: each.astype(np.float32) for name, each in zip(INPUTS, found, strict=True)}


def response_errors(orders: Sequence[str] = ORDERS) -> list[ResponseRow]:
    """The error of each order on each input, in float32, with windows of five channels and beta 0.75.

    Examples
    --------
    >>> from varstudy.study.response_orders import response_errors
    >>> for row in response_errors():
    ...     print(row.input, "|", row.parameters, "|", row.order, "|", row.status, f"{row.units_worst:.2g}")
    normal | defaults | direct | right 2.4
    normal | defaults | sliding | right 5.3
    normal | sum alone | direct | right 3.6
    normal | sum alone | sliding | inaccurate 89
    one large channel | defaults | direct | right 3.2
    one large channel | defaults | sliding | inaccurate 4.8e+03
    one large channel | sum alone | direct | right 3.7
    one large channel | sum alone | sliding | wrong 1e+09
    pixels | defaults | direct | right 2.7
    pixels | defaults | sliding | right 19
    pixels | sum alone | direct | right 2.2
    pixels | sum alone | sliding | inaccurate 1.1e+02
    """
    found = []
    for name, x in inputs().items():
        for about, parameters in PARAMETERS.items():
            exact = response_norm_forward(x, SIZE, **parameters).y  # type: ignore[arg-type]
            for order in orders:
                one = ordered_response(x, SIZE, order=order, **parameters)  # type: ignore[arg-type]
                score = score_elements(exact, one.y, FLOAT32)
                share = float(np.isfinite(one.bound).mean())
                error, worst, bounded = (float(f"{value:.2e}") for value in (score.error, score.units_worst, share))
                row = ResponseRow(name, about, order, error, worst, score.not_finite, bounded, score.status.value)
                found.append(row)
    return found
