"""Facts about one given array: its rows, the range of their exact variances, and epsilon next to them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from varkernels.formats import FORMATS, Format
from varkernels.layouts import Layout
from varkernels.rounding import round_to

from .algorithm_answers import decimal, row_name
from .measuring import Reduction
from .score import Exact

__all__ = ["EpsilonFacts", "RangeFacts", "Rows", "epsilon_facts", "range_facts", "rows_of_norm"]

_DEFAULTS = {2: "NC", 3: "NLC", 4: "NCHW", 5: "NCDHW"}


@dataclass(frozen=True, eq=False)
class Rows:
    """How an array's values are taken together.

    Attributes
    ----------
    array, view_layout : what `varkernels.views.view` gets.
    shape, norm, layout, groups : what was given; the layout is empty where there are other than 2 to 5 axes.
    assumed : whether the layout follows from the number of axes.
    positions : of a sequence whose channels are normalised at each position: how many a sample has; else 0.
    """

    array: NDArray[Any]
    view_layout: str
    shape: tuple[int, ...]
    norm: str
    layout: str
    groups: int | None
    assumed: bool
    positions: int = 0

    def name(self, row: int) -> str:
        """What a row is in the array: ``sample 3, group 1``."""
        if self.positions:
            return f"sample {row // self.positions}, position {row % self.positions}"
        return row_name(row, self.shape, self.norm, self.layout, self.groups)


def rows_of_norm(array: NDArray[Any], norm: str, layout: str | None, groups: int | None) -> Rows:
    """How a norm takes an array's values together.

    Raises
    ------
    ValueError
        The array has another number of axes than the layout, or one that no layout has.
    """
    rank, shape = array.ndim, array.shape
    fitting = [each.value for each in Layout if each.rank == rank]
    if layout is not None and layout not in tuple(Layout):
        raise ValueError(f"layout {layout!r} is unknown: use one of {', '.join(each.value for each in Layout)}")
    if norm != "flat":
        if not fitting:
            reshape = "x.reshape(1, -1) with layout NC" if rank < 2 else "x.reshape(n, c, -1) with layout NCL"
            raise ValueError(
                f"{norm} norm needs 2 to 5 axes, and x has shape {shape}: reshape it to samples, channels and values, "
                f"such as {reshape}"
            )
        if layout is not None and layout not in fitting:
            raise ValueError(
                f"layout {layout} needs rank {Layout(layout).rank}, and x has rank {rank} and shape {shape}: use "
                f"{' or '.join(fitting)}, or reshape it"
            )
    taken = layout or _DEFAULTS.get(rank, "")
    assumed = layout is None
    if norm == "layer" and taken == "NLC":
        return Rows(array.reshape(-1, shape[2]), "NC", shape, norm, taken, groups, assumed, shape[1])
    return Rows(array, taken or "NC", shape, norm, taken, groups, assumed)


@dataclass(frozen=True)
class RangeFacts:
    """How the exact variances lie in the storage format.

    Attributes
    ----------
    smallest, largest : the exact variances above 0, to six digits in decimal; empty where there is none.
    above, below, vanishing : rows whose variance is beyond the storage format's largest number; above 0 and below its
        smallest normal number; and of these the ones that round to 0.
    keep_in : the narrowest format, the storage's own or a wider one, in which every variance is 0 or a normal number;
        empty where there is none.
    squares_overflow : by format, rows whose sum of squared deviations is beyond it though their variance is not.
    out_of_range : by format, rows whose exact variance is neither 0 nor a normal number of it.
    deviation, deviation_row : the largest distance of a value from its row's mean, and which row that is.
    largest_sum : the largest sum of squared deviations, to six digits in decimal.
    """

    smallest: str
    largest: str
    above: int
    below: int
    vanishing: int
    keep_in: str
    squares_overflow: dict[str, int]
    out_of_range: dict[str, int]
    deviation: float
    deviation_row: str
    largest_sum: str

    def fits(self, name: str) -> bool:
        """Whether every exact variance, and the sum of squares that it comes from, is in a format's range."""
        return not self.out_of_range[name] and not self.squares_overflow[name]


def range_facts(reduced: Reduction, storage: Format, correction: float, rows: Rows) -> RangeFacts:
    """The range of the variances of a reduction's rows."""
    exact = reduced.variance[correction]
    positive = [v for v in exact.values if v]
    wider = [fmt for fmt in FORMATS.values() if fmt is storage or fmt.precision > max(storage.precision, 11)]
    out = {name: int(np.count_nonzero(exact.known & ~exact.in_range(fmt))) for name, fmt in FORMATS.items()}
    far = np.maximum(reduced.high - reduced.mean.rounded, reduced.mean.rounded - reduced.low)
    far = np.where(exact.known, far, -np.inf)
    row = int(np.argmax(far)) if len(far) else 0
    sums = [m2 for m2 in exact.m2 if m2]
    return RangeFacts(
        smallest=decimal(min(positive), 6) if positive else "",
        largest=decimal(max(positive), 6) if positive else "",
        above=sum(v > storage.largest for v in positive),
        below=sum(v < storage.smallest_normal for v in positive),
        vanishing=sum(v <= storage.smallest_subnormal / 2 for v in positive),
        keep_in=next((fmt.name for fmt in wider if not out[fmt.name]), ""),
        squares_overflow={name: exact.squares_overflow(fmt) for name, fmt in FORMATS.items()},
        out_of_range=out,
        deviation=float(far[row]) if positive else 0.0,
        deviation_row=rows.name(row),
        largest_sum=decimal(max(sums), 6) if sums else "",
    )


def _float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


@dataclass(frozen=True)
class EpsilonFacts:
    """What an epsilon is in the storage format, and next to the variances.

    Attributes
    ----------
    epsilon, given : the number, and whether it was given; else it is the usual one.
    stored : it in the storage format. subnormal : whether that is above 0 and below the smallest normal number.
    above : rows with a variance above 0 and below epsilon.
    share : epsilon as a part of the smallest variance above 0; NaN where there is none.
    deviation : the smallest standard deviation of the normalised output, sqrt(v / (v + epsilon)), of those rows.
    """

    epsilon: float
    given: bool
    stored: float
    subnormal: bool
    above: int
    share: float
    deviation: float


def epsilon_facts(epsilon: float, given: bool, exact: Exact, storage: Format) -> EpsilonFacts:
    """Epsilon next to exact variances."""
    e = Fraction(epsilon)
    positive = [v for v in exact.values if v]
    least = min(positive, default=None)
    return EpsilonFacts(
        epsilon=float(epsilon),
        given=given,
        stored=float(round_to(e, storage)),
        subnormal=0 < e < storage.smallest_normal,
        above=sum(v < e for v in positive),
        share=_float(e / least) if least else math.nan,
        deviation=math.sqrt(float(least / (least + e))) if least else math.nan,
    )
