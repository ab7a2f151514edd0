"""The gradients of scale and shift as a kernel sums them: in an order, in an accumulator, with a worst-case error.

The terms are dy for the shift and dy h for the scale, with h rounded to the accumulator and the product rounded again:
what a kernel has that knows the statistics exactly. So all that is left is the sum. In the notation of
`varkernels.formulas.bounding`, with terms t of which none takes part in more than k additions,

    |sum^ - sum| <= phi(k) sum |t|,        phi(k) = (1 + u)^k - 1 <= gamma_k = k u / (1 - k u)

(Higham 2002, Accuracy and Stability of Numerical Algorithms, chapters 3 and 4). k is n for a running sum, n / L +
log2 L for L lanes, 1 + log2 n for a pairwise sum, B + log2(n / B) for blocks of B. The terms of the scale bring two
more roundings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..algorithm import compose
from ..arithmetic import in_default_arithmetic
from ..dispatch import moments
from ..formats import Format, format_of
from ..formulas.base import Formula
from ..formulas.bounding import SLACK
from ..stats.inputs import array_of
from .forward import norm_forward
from .pairs import Floats

__all__ = ["OrderedSums", "ordered_gradients", "ordered_sums"]


class _Sum(NamedTuple):
    s: Any


def _update(state, n, x):  # type: ignore[no-untyped-def]
    return _Sum(state.s + x)


def _merge(a, na, b, nb):  # type: ignore[no-untyped-def]
    return _Sum(a.s + b.s)


def _read(state, n):  # type: ignore[no-untyped-def]
    return state.s, state.s


# No algorithm of the study: what it answers as the mean is the sum. Numba compiles it when it is first used.
_FORMULA = Formula(
    name="plain_sum",
    title="plain sum",
    summary="The sum of the values, as it is.",
    source="Higham 2002, Accuracy and Stability of Numerical Algorithms, section 4.1",
    state=_Sum,
    update=_update,
    read=_read,
    merge=_merge,
)


@dataclass(frozen=True, eq=False)
class OrderedSums:
    """Sums of columns.

    Attributes
    ----------
    values : in the accumulator's dtype, one a column.
    bound : float64; the worst-case absolute error of each, for these terms. Infinite where an overflow is possible.
    """

    values: NDArray[Any]
    bound: Floats


@in_default_arithmetic
def ordered_sums(terms: Any, order: str = "running", accumulator: Any = "float32", roundings: int = 0) -> OrderedSums:
    """The sum of each column of a table, in one of the study's orders.

    Parameters
    ----------
    terms : array (rows, columns) in float16, bfloat16, float32 or float64.
    order : ``running``, ``lanesL``, ``pairwise`` or ``blockedB``.
    accumulator : the format of every addition: the terms' own, or float32 or float64.
    roundings : of each term before the sum, for the bound.

    Raises
    ------
    TypeError
        A dtype is not supported.
    ValueError
        The order is unknown, the accumulator does not serve the terms, or the array is no table.

    Examples
    --------
    >>> import numpy as np
    >>> from varkernels.norms.ordered import ordered_sums
    >>> ones = np.ones((4096, 1), np.float16)
    >>> [ordered_sums(ones, order, "float16").values.tolist() for order in ("running", "pairwise")]
    [[2048.0], [4096.0]]
    """
    array, fmt = array_of(terms), format_of(accumulator)
    if array.ndim != 2:
        raise ValueError(f"terms have the shape {array.shape}: give a table, (rows, columns)")
    algorithm = compose(_FORMULA, order)
    found = moments(array.T[np.newaxis], algorithm, fmt).mean
    taken, merged = algorithm.geometry(max(1, len(array)))
    size = np.abs(array.astype(np.float64)).sum(axis=0) * SLACK
    return OrderedSums(found, _bound(size, taken + merged + roundings, len(array), roundings, fmt))


def _bound(size: Floats, steps: int, rows: int, roundings: int, fmt: Format) -> Floats:
    """phi(steps) times the sum of the terms' absolute values, and what rounded terms lose among subnormal numbers."""
    with np.errstate(over="ignore"):
        factor = np.expm1(steps * np.log1p(float(fmt.unit_roundoff)))
        found = (factor * size + roundings * rows * float(fmt.smallest_subnormal)) * SLACK
        return np.where(size + found <= float(fmt.largest), found, np.inf)


def ordered_gradients(
    x: Any, dy: Any, norm: str = "layer", *, order: str = "running", accumulator: Any = "float32", epsilon: Any = 1e-5
) -> tuple[OrderedSums, OrderedSums]:
    """The gradients of scale and shift of a norm of a table, in one of the study's orders.

    Parameters
    ----------
    x, dy : arrays (rows, columns), with the parameters along the columns. norm : ``layer``, ``rms`` or ``batch``.
    order, accumulator : as of `ordered_sums`; the accumulator must hold dy.
    epsilon : as of `norm_forward`.

    Returns
    -------
    dweight and dbias; their bounds are of the distance to the exact gradients of `norm_backward`.

    Raises
    ------
    TypeError, ValueError
        As for `ordered_sums` and `norm_forward`; or dy has another shape than x.
    """
    fmt, given = format_of(accumulator), array_of(dy)
    values = array_of(x)
    if values.ndim != 2 or given.shape != values.shape:
        raise ValueError(f"x has the shape {values.shape}, dy {given.shape}: give two tables of one shape")
    h = norm_forward(values, norm, epsilon=epsilon, dtype=fmt)
    if format_of(given.dtype).precision > fmt.precision:
        raise ValueError(f"dy is {given.dtype} and the accumulator {fmt}: give an accumulator that holds dy")
    wide = given.astype(np.float64)
    terms = fmt.rounded(h.rounded.astype(np.float64) * wide)
    scale = ordered_sums(terms, order, fmt)
    size = np.abs(h.high * wide).sum(axis=0) * SLACK
    taken, merged = compose(_FORMULA, order).geometry(max(1, len(given)))
    scale = OrderedSums(scale.values, _bound(size, taken + merged + 2, len(given), 2, fmt))
    return scale, ordered_sums(fmt.rounded(wide), order, fmt)
