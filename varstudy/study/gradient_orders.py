"""What the order of a sum does to the gradients of scale and shift: the study's orders at three numbers of rows.

Statistics and terms are exact but for the roundings that no kernel can avoid (`varkernels.norms.ordered`), so that the
order and the accumulator alone make the error. The bound is relative to the largest exact gradient, as the error is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from varkernels.formats import FORMATS
from varkernels.norms.backward import norm_backward
from varkernels.norms.ordered import ordered_gradients

from .._io.record_file import Cells
from .element_score import score_elements

__all__ = ["ORDERS", "ROWS", "OrderRow", "order_errors"]

ROWS = (256, 4096, 65536)
ORDERS = ("running", "lanes32", "pairwise", "blocked128")
CHANNELS = 16
SEED = 20


@dataclass
class OrderRow(Cells):
    """One gradient of a layer norm in one order.

    Attributes
    ----------
    array : dweight or dbias. accumulator, order, rows : how it is summed, and over how many terms.
    error, bound : the largest error, and the largest worst-case error, relative to the largest exact gradient.
    stored : the same for the exact gradient rounded to the accumulator. status : of the array.
    """

    array: str
    accumulator: str
    order: str
    rows: int
    error: float
    bound: float
    stored: float
    status: str


def order_errors(
    rows: Sequence[int] = ROWS,
    orders: Sequence[str] = ORDERS,
    accumulators: Sequence[str] = ("float32", "float16", "bfloat16"),
) -> list[OrderRow]:
    """The gradients of a layer norm of normal values, with dy of mean 0.1 and deviation 0.5.

    Parameters
    ----------
    rows : how many terms the sums have. orders : as `varkernels.algorithm.order_of` takes them.
    accumulators : the formats of values, terms and sums.

    Examples
    --------
    >>> from varstudy.study.gradient_orders import order_errors
    >>> for row in order_errors([4096], ["running", "pairwise"], ["bfloat16"]):
    ...     print(row.array, row.order, row.status)
    dweight running wrong
    dbias running wrong
    dweight pairwise right
    dbias pairwise right
    """
    found = []
    for accumulator in accumulators:
        fmt = FORMATS[accumulator]
        for count in rows:
            rng = np.random.default_rng([SEED, count])
            x = fmt.rounded(rng.standard_normal((count, CHANNELS)))
            dy = fmt.rounded(rng.standard_normal((count, CHANNELS)) * 0.5 + 0.1)
            exact = norm_backward(x, dy, "layer")
            for order in orders:
                sums = ordered_gradients(x, dy, "layer", order=order, accumulator=fmt)
                for name, true, one in zip(("dweight", "dbias"), (exact.dweight, exact.dbias), sums, strict=True):
                    score = score_elements(true, one.values, fmt)
                    bound = float(one.bound.max() / np.abs(true.high).max())
                    error, limit, stored = (float(f"{value:.2e}") for value in (score.error, bound, score.stored))
                    row = OrderRow(name, accumulator, order, count, error, limit, stored, score.status.value)
                    found.append(row)
    return found
